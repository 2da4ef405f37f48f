"""Byte code from one file changes nothing but the time: what is stale, damaged or foreign is not used."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.containers import plain_python

import lamina

HERE = Path(lamina.__file__).parent

# Ends as the console script does; then says which modules came from the file.
RUN = """
import os, sys
sys.path[:0] = [sys.argv.pop(1)]
def leave(code):
    served = sorted(sys.meta_path[0]._served) if hasattr(sys.meta_path[0], "_served") else []
    print("\\0" + " ".join(served), flush=True)
    leave_at_once(code)
leave_at_once, os._exit = os._exit, leave
from lamina.cli.main import run
run()
"""


class Copy:
    """A copy of the package, without what no command here uses."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.line = [sys.executable]
        self.package = folder / "src" / "lamina"
        skipped = shutil.ignore_patterns("hub", "*.all", "*.all.*~")
        shutil.copytree(HERE, self.package, ignore=skipped)
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LAMINA_ROOT": str(folder / "root"),
            "LAMINA_RUN_ROOT": str(folder / "run"),
        }

    def run(self, *words: str, **environ: str) -> tuple[str, set[str]]:
        """Run a command; give what it said and which modules the file gave."""
        done = subprocess.run(
            [*self.line, "-S", "-c", RUN, str(self.package.parent), *words], cwd="/",
            env={**self.environ, **environ}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done
        assert done.stderr == ""
        said, _, served = done.stdout.partition("\0")
        return said, set(served.split())

    @property
    def file(self) -> Path:
        (found,) = self.package.joinpath("__pycache__").glob("*.all")
        return found


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    made = Copy(tmp_path)
    made.run("images")  # the usual byte code is written here at the latest
    made.run("images")
    return made


def test_the_second_run_takes_from_the_file_what_the_first_imported(copy: Copy):
    said, served = copy.run("images")
    assert {"lamina.cli.commands.images", "lamina.engine.images", "lamina.errors"} <= served
    assert said == copy.run("images", PYTHONDONTWRITEBYTECODE="1")[0]
    before = copy.file.stat().st_ino
    copy.run("images")
    assert copy.file.stat().st_ino == before  # nothing new, nothing written
    said, served = copy.run("ps", "-a")
    assert "CONTAINER ID" in said
    assert "lamina.cli.commands.ps" not in served  # it was not in the file yet
    assert "lamina.cli.commands.ps" in copy.run("ps", "-a")[1]
    assert "lamina.cli.commands.images" in copy.run("images")[1]  # and the others still are
    assert [path.name for path in copy.file.parent.glob("*~")] == []


def test_modules_from_the_file_are_like_imported_ones(copy: Copy):
    code = """
import sys
sys.path.insert(0, sys.argv[1])
import lamina.cli.main
if sys.argv[2] == "file":
    from lamina.cli.code_cache import CodeCache
    CodeCache.install(sys.argv[1] + "/lamina")
import lamina.cli.commands.images, lamina.engine.images
for name, module in sorted(sys.modules.items()):
    if name.startswith("lamina") and "code_cache" not in name:
        spec = module.__spec__
        print(name, module.__file__, module.__package__, module.__name__, getattr(module, "__path__", ""),
              type(module.__loader__).__name__, type(spec.loader).__name__, spec.origin, spec.name, spec.parent,
              spec.submodule_search_locations, spec.has_location, spec.cached, getattr(spec, "_initializing", False),
              getattr(sys.modules[spec.parent], name.rpartition(".")[2], None) is module or not spec.parent)
"""
    said = [
        subprocess.run(
            [sys.executable, "-S", "-c", code, str(copy.package.parent), way],
            capture_output=True, text=True, check=True,
        ).stdout.splitlines()
        for way in ("file", "usual")
    ]  # fmt: skip
    assert len(said[0]) > 20
    names = [{line.split()[0] for line in rows} for rows in said]
    assert names[1] <= names[0]
    assert set(said[1]) <= set(said[0])


def test_a_source_that_changed_is_taken_as_it_is(copy: Copy):
    path = copy.package / "cli" / "commands" / "images.py"
    path.write_text(path.read_text().replace('summary="List images"', 'summary="List  images"'))
    said, served = copy.run("images", "--help")
    assert "List  images" in said
    assert "lamina.cli.commands.images" not in served
    copy.run("images", "--help")
    deep = copy.package / "cli" / "flags.py"  # what others need
    deep.write_text(deep.read_text() + "\nraise SystemExit(0)\n")
    done = subprocess.run(
        [sys.executable, "-S", "-c", RUN, str(copy.package.parent), "images"],
        env=copy.environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "IMAGE ID" not in done.stdout
    deep.unlink()
    done = subprocess.run(
        [sys.executable, "-S", "-c", RUN, str(copy.package.parent), "images"],
        env=copy.environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "No module named 'lamina.cli.flags'" in done.stderr


def test_modules_whose_package_changed_meanwhile_come_after_it(copy: Copy):
    for _ in range(2):
        copy.run("info")
    assert "lamina.layer.stack" in copy.run("info")[1]
    changed = copy.package / "layer" / "__init__.py"
    os.utime(changed, (1, 1))
    _, served = copy.run("volume", "ls")  # which needs no layers, and puts modules into the file
    assert not any(name.startswith("lamina.layer") for name in served)
    for _ in range(2):
        assert copy.run("info")[0]


def test_a_file_that_cannot_be_right_is_not_used_and_written_anew(copy: Copy):
    data = copy.file.read_bytes()
    for spoilt in (
        b"",
        data[:-100],
        b"\0\0\0\x63" + data[4:],  # another form
        data[:-2000] + b"\xff" * 2000,
        data[:12] + b"\0\0\0\0" + data[16:],  # another Python
    ):
        copy.file.write_bytes(spoilt)
        said, served = copy.run("images")
        assert "IMAGE ID" in said
        assert served == set()
    assert "lamina.engine.images" in copy.run("images")[1]


def test_a_package_that_was_moved_takes_no_code_of_its_old_place(copy: Copy, tmp_path: Path):
    moved = tmp_path / "moved"
    copy.package.parent.rename(moved)
    copy.package = moved / "lamina"
    assert copy.run("images")[1] == set()
    assert "lamina.engine.images" in copy.run("images")[1]


def test_where_no_byte_code_is_to_be_written_none_is(copy: Copy):
    copy.file.unlink()
    copy.run("images", PYTHONDONTWRITEBYTECODE="1")
    assert list(copy.package.joinpath("__pycache__").glob("*.all")) == []
    copy.run("images", PYTHONPYCACHEPREFIX=str(copy.folder / "elsewhere"))
    copy.run("images", PYTHONPYCACHEPREFIX=str(copy.folder / "elsewhere"))
    assert list(copy.package.joinpath("__pycache__").glob("*.all")) == []
    assert len(list((copy.folder / "elsewhere").rglob("*.all"))) == 1


@pytest.fixture(scope="module")
def _installed() -> Iterator[Copy]:
    """A copy that whoever runs it may not write."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        made = Copy(Path(name))
        folders = [Path(path) for path, _, _ in os.walk(made.package)]
        for folder in folders:
            folder.chmod(0o555)
        yield made
        for folder in folders:
            folder.chmod(0o755)


@pytest.fixture
def others(_installed: Copy) -> Iterator[Copy]:
    """The copy that belongs to others, and a home without anything."""
    home = _installed.folder / "home"
    home.mkdir()
    _installed.environ |= {"HOME": str(home), "LAMINA_ROOT": f"{home}/root"}
    if os.geteuid() == 0:
        os.chown(home, 54321, 54321)
        ids = ["--reuid=54321", "--regid=54321", "--clear-groups"]
        _installed.line = ["setpriv", *ids, plain_python()]
    yield _installed
    shutil.rmtree(home)


def personal(copy: Copy) -> Path:
    (found,) = (copy.folder / "home").rglob("*.all")
    return found


def test_who_may_not_write_the_file_has_one_of_their_own(others: Copy):
    said, served = others.run("images")
    assert served == set()
    again, served = others.run("images")
    assert again == said
    assert {"lamina.cli.commands.images", "lamina.engine.images", "lamina.errors"} <= served
    file = personal(others)
    assert file.is_relative_to(f"{others.environ['HOME']}/.cache/lamina")
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert list(others.package.rglob("*.all")) == []
    elsewhere = f"{others.environ['HOME']}/elsewhere"
    assert others.run("images", XDG_CACHE_HOME=elsewhere)[1] == set()
    assert "lamina.errors" in others.run("images", XDG_CACHE_HOME=elsewhere)[1]
    assert others.run("images", XDG_CACHE_HOME="relative", HOME="")[0] == said


def test_a_file_that_others_could_have_written_is_not_believed(others: Copy):
    others.run("images")
    file = personal(others)
    file.chmod(0o664)
    assert others.run("images")[1] == set()
    assert personal(others).stat().st_mode & 0o777 == 0o644  # it was written anew
    assert "lamina.errors" in others.run("images")[1]


@pytest.mark.root
def test_a_file_of_another_user_is_not_believed(others: Copy):
    others.run("images")
    os.chown(personal(others), 54322, 54321)
    assert others.run("images")[1] == set()
    assert personal(others).stat().st_uid == 54321


def test_byte_code_that_is_nowhere_is_made_once(others: Copy):
    for path in others.package.rglob("*.pyc"):
        path.parent.chmod(0o755)
        path.unlink()
        path.parent.chmod(0o555)
    said, served = others.run("images")
    assert served == set()
    again, served = others.run("images")
    assert again == said
    assert "lamina.engine.images" in served
    assert list(others.package.rglob("*.pyc")) == []


def test_the_file_beside_the_package_serves_who_may_not_write_it(others: Copy):
    others.run("images")
    beside = others.package / "__pycache__"
    beside.chmod(0o755)
    shutil.copy(personal(others), beside / personal(others).name)
    beside.chmod(0o555)
    shutil.rmtree(others.folder / "home" / ".cache")
    served = others.run("images")[1]
    beside.chmod(0o755)
    (file,) = beside.glob("*.all")
    file.unlink()
    beside.chmod(0o555)
    assert "lamina.errors" in served
    assert not (others.folder / "home" / ".cache").exists()  # there was nothing to add
