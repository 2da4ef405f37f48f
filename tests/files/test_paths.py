"""Paths of an image: as pathlib's, judged by pathlib itself on the same tree unpacked."""

import errno
import io
import os
import pathlib
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest
from tests.engine.worlds import import_image, make_engine
from tests.files.images import LOW, opened, small
from tests.images import Piece, tar
from tests.layer.trees import extracted

from lamina.engine.engine import Engine
from lamina.files.image import OpenImage
from lamina.files.paths import TreePath


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenImage]:
    with make_engine(tmp_path_factory.mktemp("paths")) as engine:
        small(engine)
        with opened(engine) as image:
            yield image


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[OpenImage, Path]]:
    """One layer, open, and unpacked by tar; nothing in it leads out of it."""
    folder = tmp_path_factory.mktemp("both")
    pieces = [piece for piece in LOW if piece.path not in ("up", "nowhere")]
    extracted(tar(pieces), folder / "unpacked")
    with make_engine(folder) as engine:
        import_image(engine, "one:1", pieces)
        with opened(engine, "one:1") as image:
            yield image, folder / "unpacked"


PATTERNS = (
    "*", "*/*", "etc/*", "**/*o*", "**/bin/*", "e?c/m*", "[eu]*", "etc/../usr/*", "bin/*", "**/motd",
    "*/back/*", "no/*", "etc/motd/*", "cycle/back/etc/motd", "**/*.gz", "*tin*", "loop/*",
)  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_find_what_pathlib_finds(both: tuple[OpenImage, Path], pattern: str):
    image, folder = both
    wanted = {str(path)[len(str(folder)) :] for path in folder.glob(pattern)}
    found = [str(path) for path in image.path.glob(pattern)]
    assert len(found) == len(set(found))
    if ".." in pattern:  # pathlib leaves them in, and so do we
        assert {os.path.normpath(path) for path in found} == {
            os.path.normpath(path) for path in wanted
        }
    else:
        assert set(found) == wanted


def test_what_is_asked_of_a_path_is_what_pathlib_says(both: tuple[OpenImage, Path]):
    image, folder = both
    asked = 0
    for path in [image.path, *image.path.rglob("*")]:
        theirs = folder / str(path)[1:]
        for question in ("exists", "is_file", "is_dir", "is_symlink", "is_fifo", "is_socket",
                         "is_char_device", "is_block_device", "is_mount"):  # fmt: skip
            assert getattr(path, question)() == getattr(theirs, question)(), (path, question)
        mine, other = path.lstat(), theirs.lstat()
        if mine.st_nlink == 1 and not path.is_symlink():
            assert (mine.st_mode, mine.st_mtime_ns) == (other.st_mode, other.st_mtime_ns)
        if path.is_file():
            assert path.stat().st_size == theirs.stat().st_size
            assert path.read_bytes() == theirs.read_bytes()
            assert path.read_text() == theirs.read_text()
        if path.is_symlink():
            assert path.readlink() == PurePosixPath(os.readlink(theirs))
        asked += 1
    assert asked == 17


@pytest.mark.parametrize("top_down", [True, False])
def test_walking_goes_where_pathlib_and_os_walk_go(both: tuple[OpenImage, Path], top_down: bool):
    image, folder = both
    wanted = {}
    for here, folders, files in os.walk(folder, topdown=top_down):
        links = {name for name in folders if os.path.islink(f"{here}/{name}")}
        wanted[here[len(str(folder)) :] or "/"] = (
            sorted(set(folders) - links), sorted({*files, *links}),
        )  # fmt: skip
    order = [(str(here), folders, files) for here, folders, files in image.path.walk(top_down)]
    assert {here: (folders, files) for here, folders, files in order} == wanted
    places = [here for here, _, _ in order]
    assert (places.index("/") == 0) == top_down


def test_a_walk_can_be_pruned_and_follows_links_without_going_round(both: tuple[OpenImage, Path]):
    image, _ = both
    seen = []
    for here, folders, _ in image.path.walk():
        seen.append(str(here))
        folders[:] = [name for name in folders if name != "usr"]
    assert seen == ["/", "/cycle", "/etc", "/old"]
    followed = [str(here) for here, _, _ in image.path.walk(follow_symlinks=True)]
    assert "/bin" in followed
    assert "/cycle/back" not in followed  # it is the root, which is being walked
    wrong: list[OSError] = []
    assert list((image / "etc/motd").walk(on_error=wrong.append)) == []
    assert isinstance(wrong[0], NotADirectoryError)


def test_as_text_a_path_does_what_pathlibs_does(image: OpenImage):
    path = image / "usr" / "bin/tool.tar.gz"
    theirs = PurePosixPath("/usr/bin/tool.tar.gz")
    for name in ("parts", "name", "stem", "suffix", "suffixes"):
        assert getattr(path, name) == getattr(theirs, name)
    assert str(path) == path.as_posix() == str(theirs)
    assert [str(each) for each in path.parents] == [str(each) for each in theirs.parents]
    assert path.parent == image / "usr/bin" == image.path.joinpath("usr", "bin")
    assert path.with_name("x") == image / "/usr/bin/x"
    assert str(path.with_suffix(".xz")) == "/usr/bin/tool.tar.xz"
    assert str(path.with_stem("y")) == "/usr/bin/y.gz"
    assert path.relative_to("/usr") == PurePosixPath("bin/tool.tar.gz")
    assert path.relative_to(image / "usr/bin") == PurePosixPath("tool.tar.gz")
    assert path.is_relative_to(image / "usr")
    assert not path.is_relative_to("/etc")
    assert path.is_absolute()
    assert path.absolute() is path
    assert path.match("bin/*.gz")
    assert path.full_match("/usr/**/*.gz")
    assert not path.full_match("/usr/*.gz")
    assert path.as_uri() == "lamina://small:1:/usr/bin/tool.tar.gz"
    assert repr(path) == "<TreePath small:1 '/usr/bin/tool.tar.gz'>"
    assert str(image / "//etc//x/.") == "/etc/x"
    assert not isinstance(path, os.PathLike)
    assert "\x1b" not in repr(image / "\x1b[2J")  # no name moves a terminal's cursor


def test_paths_are_equal_and_in_order_within_one_image(image: OpenImage, engine: Engine):
    small(engine)
    with opened(engine) as other, opened(image.engine) as again:
        path = image / "etc"
        assert path == again / "etc"
        assert hash(path) == hash(again / "etc")
        assert path != image / "usr"
        assert path != other / "etc"  # on another root
        assert path != "/etc"
        assert {path, again / "etc", other / "etc"} == {path, other / "etc"}
        assert sorted([image / "usr", path]) == [path, image / "usr"]
        assert path <= again / "etc" < image / "usr" > path >= again / "etc"
        with pytest.raises(TypeError, match="have no order"):
            _ = path < other / "etc"


def test_links_are_resolved_inside_the_image(image: OpenImage):
    for path, wanted in [
        ("bin/tool.tar.gz", "/usr/bin/tool.tar.gz"),
        ("up/motd", "/etc/motd"),
        ("cycle/back/cycle", "/cycle"),
        ("bin/../etc", "/usr/etc"),  # of what the link leads to
        ("no/such/../x", "/no/x"),
        ("nowhere", "/nowhere"),
        ("etc/motd/x", "/etc/motd/x"),
        ("loop", "/loop"),
    ]:
        assert str((image / path).resolve()) == wanted
    for path, number in [("no", errno.ENOENT), ("loop", errno.ELOOP), ("nowhere", errno.ENOENT)]:
        with pytest.raises(OSError, match=path) as caught:
            (image / path).resolve(strict=True)
        assert caught.value.errno == number
    assert (image / "bin").samefile("/usr/bin")
    assert (image / "etc/again").samefile(image / "etc/motd")
    assert not (image / "etc/again").samefile(image / "etc/new")


def test_files_are_opened_as_text_or_bytes(image: OpenImage):
    path = image / "etc/new"
    assert path.read_text() == "grüße\n"
    assert path.read_text(newline="") == "grüße\r\n"
    assert path.read_text("latin-1") == "grÃ¼Ã\x9fe\n"
    with path.open() as text, path.open("rb", buffering=16) as data:
        assert list(text) == ["grüße\n"]
        assert isinstance(data, io.BufferedReader)
        assert data.read() == "grüße\r\n".encode()
    with pytest.raises(UnicodeDecodeError):
        (image / "etc/new").read_text("ascii")
    for mode in ("", "b", "rbt", "rz"):
        with pytest.raises(ValueError, match="invalid mode"):
            path.open(mode)


def test_facts_are_those_of_the_tar(image: OpenImage):
    found = (image / "etc/motd").stat()
    assert stat.S_ISREG(found.st_mode)
    assert stat.S_IMODE(found.st_mode) == 0o640
    assert (found.st_uid, found.st_gid, found.st_size, found.st_nlink) == (7, 8, 12, 2)
    assert (found.st_mtime, found.st_mtime_ns) == (1_700_000_000.25, 1_700_000_000_250_000_000)
    assert (image / "etc/motd").owner() == "maria"
    assert (image / "etc/motd").group() == "staff"
    assert ((image / "etc/motd").layer, (image / "etc/new").layer) == (1, 2)
    with pytest.raises(OSError, match="Invalid argument"):
        (image / "etc").readlink()


def test_an_owner_without_a_name_is_told_so(engine: Engine):
    import_image(engine, "bare:1", [Piece("x", uid=5)])
    with opened(engine, "bare:1") as image, pytest.raises(KeyError, match="no name for 5"):
        (image / "x").owner()


def test_a_pattern_must_be_one(image: OpenImage):
    with pytest.raises(ValueError, match="Unacceptable pattern"):
        image.path.glob("").__next__()
    with pytest.raises(NotImplementedError, match="Non-relative patterns"):  # as pathlib
        next(image.path.glob("/etc"))


def test_what_would_change_something_is_refused(image: OpenImage):
    path = image / "etc/motd"
    deeds = [
        lambda: path.write_text("x"), lambda: path.write_bytes(b"x"), path.touch, path.mkdir, path.rmdir,
        path.unlink, lambda: path.rename("x"), lambda: path.replace("x"), lambda: path.chmod(0o777),
        lambda: path.symlink_to("x"), lambda: path.hardlink_to("x"), lambda: path.open("w"),
        lambda: path.open("r+b"), lambda: path.open("a"), lambda: path.open("xb"),
    ]  # fmt: skip
    for deed in deeds:
        with pytest.raises(OSError, match="an image is never changed") as caught:
            deed()
        assert caught.value.errno == errno.EROFS
    with pytest.raises(TypeError):
        Path(path)  # type: ignore[arg-type]  # never this machine's file of that name


def test_every_method_of_pathlib_is_there_or_left_out_for_a_reason():
    left_out = {
        "cwd", "home", "expanduser", "from_uri", "as_bytes", "link_to", "is_reserved",
        "drive", "root", "anchor", "copy", "copy_into", "move", "move_into", "with_segments", "info",
        "parser",
    }  # fmt: skip
    theirs = {name for name in dir(pathlib.PosixPath) if not name.startswith("_")}
    assert theirs - set(dir(TreePath)) - left_out == set()


def test_a_very_deep_tree_is_walked(engine: Engine):
    deep = "/".join(["d"] * 400)
    import_image(engine, "deep:1", [Piece(f"{deep}/end", b"x")])
    with opened(engine, "deep:1") as image:
        assert len(list(image.path.walk())) == 401
        assert [path.name for path in image.path.rglob("end")] == ["end"]
        assert len(list(image.path.walk(top_down=False))) == 401
