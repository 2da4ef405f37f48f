"""One name that several platforms have, as `--platform` of every command sees it."""

import io
import os
import tarfile
from pathlib import Path

import pytest
from tests.images import Piece, tar, write_index
from tests.servers import RegistryServer

from lamina.engine.archives import ArchiveInvalid, ImportRequest
from lamina.engine.engine import Engine
from lamina.engine.local import ImageUnknown
from lamina.engine.variants import variants
from lamina.errors import Unsupported
from lamina.spec.platform import Platform
from lamina.spec.wire import decode

HERE, THERE = str(Platform.from_machine(os.uname().machine)), "linux/s390x"


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("variants")
    write_index(folder, (HERE, THERE))
    return folder


@pytest.fixture
def both(engine: Engine, layout: Path) -> Engine:
    engine.images.copy(f"oci:{layout}", "lamina:both", everything=True)
    return engine


def test_a_name_gives_the_image_for_each_platform_it_has(both: Engine):
    here, there = variants(both, "both")
    assert (str(here.platform), str(there.platform)) == (HERE, THERE)
    assert both.images.resolve("both").id == here.id
    for row in (here, there):
        image = both.images.resolve("both", platform=str(row.platform))
        assert (image.id, image.manifest.digest) == (row.id, row.digest)
        assert image.names == ("docker.io/library/both:latest",)
        found = both.images.inspect("both", platform=str(row.platform))
        assert f"{found['Os']}/{found['Architecture']}" == str(row.platform)
        assert both.images.history("both", platform=str(row.platform))[0].id == row.id
    assert (here.size, there.size) == (len(HERE), 0), "what is for another machine is not unpacked"
    with pytest.raises(ImageUnknown, match=r"does not provide the specified platform \(mips64\)"):
        both.images.resolve("both", platform="mips64")


def test_the_image_for_one_platform_is_saved_and_loaded_alone(both: Engine, layout: Path):
    here, there = variants(both, "both")
    out = io.BytesIO()
    both.images.save(["both"], out, platform=THERE)
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as archive:  # noqa: TID251
        index = archive.extractfile("index.json")
        assert index is not None
        assert [row["digest"] for row in decode(index.read())["manifests"]] == [there.digest]
    out.seek(0)
    with pytest.raises(ArchiveInvalid, match=f"no image for {HERE}") as caught:
        both.images.load(out, platform=HERE)
    assert caught.value.hint == f"it has {THERE}"
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:  # noqa: TID251
        archive.add(layout, ".")
    for row in (here, there):
        whole.seek(0)
        (loaded,) = both.images.load(whole, platform=str(row.platform))
        assert loaded.id == row.id
    whole.seek(0)
    with pytest.raises(ArchiveInvalid, match="no image for linux/mips64"):
        both.images.load(whole, platform="linux/mips64")


def test_an_index_is_not_taken_apart(both: Engine):
    with pytest.raises(Unsupported, match="kept as one index, and it has linux/s390x as well"):
        both.images.remove("both", platforms=[HERE])
    with pytest.raises(ImageUnknown, match="does not provide"):
        both.images.remove("both", platforms=[HERE, "linux/mips64"])
    assert both.images.remove("both", platforms=[THERE, HERE])
    both.images.import_(io.BytesIO(tar([Piece("a", b"a")])), ImportRequest(name="one"))
    with pytest.raises(ImageUnknown, match="does not provide"):
        both.images.remove("one", platforms=[THERE])
    both.images.remove("one", platforms=[HERE])
    assert both.images.list() == ()


def test_the_image_for_one_platform_is_pushed_as_an_image(
    engine: Engine, layout: Path, registry: RegistryServer
):
    name = f"{registry.address}/variants/both:latest"
    engine.images.copy(f"oci:{layout}", f"lamina:{name}", everything=True)
    _, there = variants(engine, name)
    (plan,) = engine.images.plan_push(name, platform=THERE)
    assert plan.digest == there.digest
    (pushed,) = engine.images.push(name, platform=THERE)
    assert pushed.digest == there.digest
    assert engine.images.manifest(name)[0].digest == there.digest
    with pytest.raises(ImageUnknown, match="does not provide"):
        engine.images.push(name, platform="mips64")
