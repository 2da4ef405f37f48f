"""Images behind `lamina://`: what fsspec and those who use it ask for."""

import errno
import gc
import io
import pickle
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import fsspec
import pytest
from fsspec.callbacks import Callback
from tests.archives import archive
from tests.engine.worlds import import_image, make_engine
from tests.files.images import opened, small
from tests.images import Piece, tar

from lamina.engine.engine import Engine
from lamina.files.filesystem import LaminaFileSystem


@pytest.fixture
def fs(engine: Engine) -> Iterator[LaminaFileSystem]:
    small(engine)
    with opened(engine) as image:
        yield image.fs


@pytest.fixture
def here(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The environment's engine, with the image `small:1`."""
    monkeypatch.setenv("LAMINA_ROOT", engine.settings.root)
    monkeypatch.setenv("LAMINA_RUN_ROOT", engine.settings.run_root)
    small(engine)
    return engine


def test_the_protocol_is_known_where_lamina_is_installed(here: Engine):
    with fsspec.open("lamina://small:1/etc/motd", "rt") as file:
        assert file.read() == "hello\nworld\n"
    with fsspec.open("lamina://small:1:/etc/new?layer=2", "rb") as file:
        assert file.read() == "grüße\r\n".encode()
    fs, path = fsspec.url_to_fs("lamina://small:1/etc")
    assert isinstance(fs, LaminaFileSystem)
    assert path == "/etc"
    assert fs.unstrip_protocol(path) == "lamina://small:1:/etc"
    names = [file.path for file in fsspec.open_files("lamina://small:1/etc/m*")]
    assert names == ["/etc/motd"]
    with pytest.raises(FileNotFoundError, match="No such image: nosuch:1"):
        fsspec.open("lamina://nosuch:1/x")
    with pytest.raises(ValueError, match="needs an image"):
        fsspec.filesystem("lamina")


def test_a_name_that_moves_means_the_new_image_the_next_time(here: Engine):
    assert fsspec.filesystem("lamina", image="small:1").exists("/etc/motd")
    import_image(here, "small:1", [Piece("other")])
    assert fsspec.filesystem("lamina", image="small:1").ls("/", detail=False) == ["/other"]


def test_another_root_is_an_option(tmp_path: Path):
    with make_engine(tmp_path) as engine:
        small(engine)
    fs = fsspec.filesystem("lamina", image="small:1", root=engine.settings.root, layer=1)
    assert fs.cat("/old/file") == b"old"


def test_chains_read_through_it(here: Engine, tmp_path: Path):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as target:
        target.writestr("in/side", "zipped")
    import_image(here, "zips:1", [Piece("srv/x.zip", packed.getvalue())])
    with fsspec.open("zip://in/side::lamina://zips:1/srv/x.zip") as file:
        assert file.read() == b"zipped"
    for cache in ("simplecache", "filecache"):
        options = {cache: {"cache_storage": str(tmp_path / cache)}}
        with fsspec.open(f"{cache}::lamina://small:1/etc/motd", **options) as file:
            assert file.read() == b"hello\nworld\n"
    tree = fsspec.get_mapper("lamina://small:1/etc")
    assert tree["motd"] == b"hello\nworld\n"


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # of fsspec's mmap cache
def test_caches_of_fsspecs_are_used_where_they_are_asked_for(here: Engine, tmp_path: Path):
    options = {"blockcache": {"cache_storage": str(tmp_path)}}
    with fsspec.open("blockcache::lamina://small:1/etc/motd", **options) as file:
        assert file.read() == b"hello\nworld\n"
    fs = fsspec.filesystem("lamina", image="small:1")
    for cache in ("none", "readahead", "mmap", "bytes", "all", "blockcache"):
        with fs.open("/etc/motd", block_size=4, cache_type=cache) as file:
            assert [file.read(5), file.seek(1), file.read()] == [b"hello", 1, b"ello\nworld\n"]
    del file
    gc.collect()


def test_what_is_said_of_a_path(fs: LaminaFileSystem):
    assert fs.info("/etc/motd") == {
        "name": "/etc/motd", "size": 12, "type": "file", "mode": 0o100640, "uid": 7, "gid": 8,
        "mtime": 1_700_000_000.25, "ino": fs.info("/etc/again")["ino"], "nlink": 2, "layer": 1,
        "islink": False,
    }  # fmt: skip
    assert fs.info("etc/new/")["layer"] == 2
    link = fs.info("/bin")
    assert (link["type"], link["islink"], link["destination"]) == ("directory", True, "usr/bin")
    kinds = {row["name"]: row["type"] for row in fs.ls("/")}
    assert kinds == {
        "/bin": "link", "/cycle": "directory", "/etc": "directory", "/latin\udce9": "file",
        "/loop": "link", "/nowhere": "link", "/old": "directory", "/up": "link", "/usr": "directory",
    }  # fmt: skip
    assert fs.ls("/bin", detail=False) == ["/bin/tool.tar.gz"]
    assert [row["name"] for row in fs.ls("/etc/motd")] == ["/etc/motd"]
    for name in ("/etc/gone", "/old/file", "/etc/motd/x", "/loop/x"):
        assert not fs.exists(name)
        with pytest.raises(OSError, match=r"No such file|Not a directory|symbolic links"):
            fs.info(name)
    assert not fs.exists("/loop")
    assert not fs.exists("/nowhere")
    assert fs.lexists("/loop")
    assert fs.lexists("/nowhere")
    assert not fs.lexists("/no")
    assert fs.isdir("/bin")
    assert fs.isfile("/bin/tool.tar.gz")


def test_a_link_to_a_file_counts_as_the_file(engine: Engine):
    pieces = [Piece("data/a.csv", b"1,2\n"), Piece("data/b.csv", link="a.csv")]
    import_image(engine, "links:1", pieces)
    with opened(engine, "links:1") as image:
        fs = image.fs
        rows = {row["name"]: (row["type"], row["size"], row["islink"]) for row in fs.ls("/data")}
        assert rows == {"/data/a.csv": ("file", 4, False), "/data/b.csv": ("file", 4, True)}
        assert fs.cat("/data/*.csv") == {"/data/a.csv": b"1,2\n", "/data/b.csv": b"1,2\n"}
        assert fs.du("/data") == 4
        assert fs.du("/data", total=False) == {"/data/a.csv": 4, "/data/b.csv": 0}


def test_all_is_found_in_one_walk_and_level_by_level(fs: LaminaFileSystem):
    whole = fs.find("/", withdirs=True, detail=True)
    assert whole == fs.find("/", maxdepth=9, withdirs=True, detail=True)
    assert fs.find("/usr") == ["/usr/bin/tool.tar.gz"]
    assert fs.find("/bin") == ["/bin/tool.tar.gz"]
    assert fs.find("/etc/motd") == ["/etc/motd"]
    assert fs.find("/no") == []
    assert fs.find("/", maxdepth=1) == ["/bin", "/latin\udce9", "/loop", "/nowhere", "/up"]
    assert fs.glob("/etc/[mn]*") == ["/etc/motd", "/etc/new"]
    assert fs.glob("/**/tool*") == ["/usr/bin/tool.tar.gz"]
    assert fs.glob("/bin/*") == ["/bin/tool.tar.gz"]
    assert [folder for folder, _, _ in fs.walk("/")] == [
        "/", "/cycle", "/etc", "/old", "/usr", "/usr/bin",
    ]  # fmt: skip
    sizes = len(b"root:x:0:0::/root:/bin/sh\nmaria:x:7:8::/:/bin/sh\n") + 21 + 12 + 9 + 300 + 5 + 5
    assert fs.du("/") == sizes


def test_parts_of_files_are_read_without_the_rest(fs: LaminaFileSystem):
    path = "/etc/motd"
    body = b"hello\nworld\n"
    for start, end in [(None, None), (2, None), (None, 3), (2, 5), (-4, None), (-4, -1), (0, 99),
                       (5, 2), (50, 60), (-99, 3), (None, -2), (0, 0)]:  # fmt: skip
        wanted = body[slice(start, end)]
        assert fs.cat_file(path, start, end) == wanted, (start, end)
    assert fs.cat_ranges([path, "/etc/new"], [0, 1], [2, 3]) == [b"he", b"r\xc3"]
    assert fs.head(path, 3) == b"hel"
    assert fs.tail(path, 3) == b"ld\n"
    assert fs.read_block(path, 3, 4, delimiter=b"\n") == b"world\n"
    assert fs.read_text("/etc/new", newline="") == "grüße\r\n"
    with fs.open(path, block_size=4) as file:
        assert file.read(3) == b"hel"
        assert file.size == 12
    with fs.open("/usr/bin/tool.tar.gz", compression=None) as file:
        assert len(file.read()) == 300
    with pytest.raises(IsADirectoryError):
        fs.cat_file("/etc")


def test_times_and_keys_follow_the_content(engine: Engine, fs: LaminaFileSystem):
    assert fs.created("/etc/motd") == datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert fs.created("/etc/new") == datetime(2024, 1, 2, 3, 4, 6, tzinfo=UTC)
    assert fs.modified("/etc/motd") == datetime(2023, 11, 14, 22, 13, 20, 250_000, tzinfo=UTC)
    assert fs.ukey("/etc/motd") == fs.ukey("/etc/again") != fs.ukey("/etc/new")
    assert fs.checksum("/etc/motd") == int(fs.ukey("/etc/motd"), 16)
    layers = (tar([Piece("etc/motd", b"hello\nworld?")]),)
    engine.images.load(io.BytesIO(archive("small:1", layers=layers, steps=({},))))
    with opened(engine) as other:
        assert other.fs.ukey("/etc/motd") != fs.ukey("/etc/motd")
        assert other.fs != fs
        assert other.fs.fsid != fs.fsid
        assert other.fs.created("/etc/motd") == other.fs.modified("/etc/motd")  # nobody says
    with opened(engine, fs.image.id) as same:
        assert same.fs == fs
        assert hash(same.fs) == hash(fs)
        assert same.fs.fsid == fs.fsid == same.fs.__dask_tokenize__()


def test_pickled_it_is_the_same_image_again(fs: LaminaFileSystem):
    again = pickle.loads(pickle.dumps(fs))
    assert again == fs
    assert again.cat("/etc/motd") == b"hello\nworld\n"
    again.image.close()
    file = pickle.loads(pickle.dumps(fsspec.core.OpenFile(fs, "/etc/new")))
    with file as stream:
        assert stream.read() == "grüße\r\n".encode()
    file.fs.image.close()


def test_files_are_copied_out_with_their_holes(
    fs: LaminaFileSystem, engine: Engine, tmp_path: Path
):
    fs.get("/etc", str(tmp_path / "etc"), recursive=True)
    assert sorted(path.name for path in (tmp_path / "etc").iterdir()) == [
        "again", "group", "motd", "new", "passwd",
    ]  # fmt: skip
    fs.get("/", str(tmp_path / "all"), recursive=True)  # what has no bytes is left out
    assert sorted(path.name for path in (tmp_path / "all").iterdir()) == [
        "cycle", "etc", "latin\udce9", "old", "usr",
    ]  # fmt: skip
    target = io.BytesIO()
    fs.get_file("/etc/motd", target)
    assert target.getvalue() == b"hello\nworld\n"
    with (tmp_path / "handed").open("wb") as handed:
        fs.get_file("/etc/motd", str(tmp_path / "unused"), outfile=handed)
    assert (tmp_path / "handed").read_bytes() == b"hello\nworld\n"
    with pytest.raises(FileNotFoundError):
        fs.get_file("/nowhere", str(tmp_path / "unused"))
    assert not (tmp_path / "unused").exists()
    fs.get_file("/old", str(tmp_path / "folder"))
    assert list((tmp_path / "folder").iterdir()) == []
    import_image(engine, "big:1", [Piece("big", b"x" * (1 << 22))])
    told = Callback()
    with opened(engine, "big:1") as image:
        image.fs.get_file("/big", str(tmp_path / "new" / "big"), callback=told)
    assert (tmp_path / "new" / "big").read_bytes() == b"x" * (1 << 22)
    assert (told.size, told.value) == (1 << 22, 1 << 22)


def test_what_would_change_something_is_refused(fs: LaminaFileSystem, tmp_path: Path):
    (tmp_path / "x").write_bytes(b"x")
    deeds = [
        lambda: fs.mkdir("/x"), lambda: fs.makedirs("/x", exist_ok=True), lambda: fs.rmdir("/etc"),
        lambda: fs.rm("/etc", recursive=True), lambda: fs.rm_file("/etc/motd"), lambda: fs.touch("/x"),
        lambda: fs.pipe("/x", b"x"), lambda: fs.pipe_file("/x", b"x"), lambda: fs.copy("/etc/motd", "/x"),
        lambda: fs.mv("/etc/motd", "/x"), lambda: fs.put(str(tmp_path / "x"), "/x"),
        lambda: fs.put_file(str(tmp_path / "x"), "/x"), lambda: fs.open("/x", "wb"),
        lambda: fs.open("/x", "ab"), lambda: fs.open("/x", "w"), lambda: fs.open("/x", "r+b"),
        lambda: fs.write_text("/x", "x"), lambda: fs.write_bytes("/x", b"x"), fs.start_transaction,
        lambda: fs.cp("/etc/motd", "/x"), lambda: fs.delete("/etc/motd"), lambda: fs.upload("x", "/x"),
        lambda: fs.rename("/etc/motd", "/x"), lambda: fs.cp_file("/etc/motd", "/x"),
    ]  # fmt: skip
    for deed in deeds:
        with pytest.raises(OSError, match="an image is never changed") as caught:
            deed()
        assert caught.value.errno == errno.EROFS


def test_without_fsspec_it_is_said_what_brings_it(engine: Engine, monkeypatch):
    import sys

    from lamina.errors import Unsupported

    monkeypatch.setitem(sys.modules, "lamina.files.filesystem", None)
    small(engine)
    with opened(engine) as image:
        with pytest.raises(Unsupported, match="fsspec is not installed") as caught:
            _ = image.fs
        assert (image / "etc/motd").is_file()
    assert "lamina[fsspec]" in caught.value.hint
