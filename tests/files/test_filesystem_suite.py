"""Fsspec's own tests of copying out, on images that hold what those tests would write first."""

import hashlib
import os
from collections.abc import Iterator

import pytest
from fsspec.tests.abstract import AbstractFixtures, AbstractGetTests
from tests.engine.worlds import import_image, make_engine
from tests.files.images import opened
from tests.images import Piece

from lamina.files.filesystem import LaminaFileSystem

NESTED = ("subfile1", "subfile2", "nesteddir/nestedfile")
SCENES = {
    "bulk": ["file1", "file2", *(f"subdir/{name}" for name in NESTED)],
    "glob": ["file1", "file2", *(f"subdir{n}/{name}" for n in (0, 1) for name in NESTED)],
    "prefix": ["subdir.txt", "subdir/subfile.txt"],
    "src": ["file"],
}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LaminaFileSystem]:
    hashed = [
        Piece(f"hashed/{hashlib.md5(str(n).encode()).hexdigest()}.txt", str(n).encode())
        for n in range(10)
    ]
    pieces = [Piece(f"{scene}/{name}") for scene, names in SCENES.items() for name in names]
    with make_engine(tmp_path_factory.mktemp("suite")) as engine:
        import_image(engine, "suite:1", [*hashed, *pieces])
        with opened(engine, "suite:1") as image:
            yield image.fs


class TestGet(AbstractGetTests, AbstractFixtures):  # type: ignore[misc]  # fsspec has no types
    @pytest.fixture
    def fs(self, images, monkeypatch):
        # One test of theirs makes `/src/file`, which is there.
        monkeypatch.setattr(images, "mkdir", images.ls)
        monkeypatch.setattr(images, "touch", images.info)
        return images

    @pytest.fixture
    def fs_path(self):
        return "/"

    @pytest.fixture
    def fs_join(self):
        return os.path.join

    @pytest.fixture
    def fs_bulk_operations_scenario_0(self):
        return "/bulk"

    @pytest.fixture
    def fs_glob_edge_cases_files(self):
        return "/glob"

    @pytest.fixture
    def fs_dir_and_file_with_same_name_prefix(self):
        return "/prefix"

    @pytest.fixture
    def fs_10_files_with_hashed_names(self):
        return "/hashed"
