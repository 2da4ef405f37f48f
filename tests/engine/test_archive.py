import io
import os
import shutil
import tarfile

import pytest
from tests.images import Piece, tar, tiny

from lamina.engine import archive
from lamina.engine.archive import PathNotFound, write_path
from lamina.engine.archives import ImportRequest
from lamina.engine.containers import Containers
from lamina.engine.engine import Engine
from lamina.engine.requests import CreateRequest, VolumeMount
from lamina.errors import Invalid
from lamina.layer.recorded import RECORD, Record


@pytest.fixture
def containers(engine: Engine) -> Containers:
    engine.images.import_(io.BytesIO(tiny()), ImportRequest(name="tiny"))
    return engine.containers


def names(data: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(data)) as file:  # noqa: TID251
        return file.getnames()


def test_a_tree_becomes_a_tar_with_another_first_name(tmp_path):
    (tmp_path / "d" / "e").mkdir(parents=True)
    (tmp_path / "d" / "f").write_text("body")
    os.link(tmp_path / "d" / "f", tmp_path / "d" / "g")
    (tmp_path / "d" / "s").symlink_to("/nowhere")
    os.mkfifo(tmp_path / "d" / "p")
    out = io.BytesIO()
    fd = os.open(tmp_path, os.O_RDONLY)
    write_path(fd, "d", "new", out.write)
    os.close(fd)
    assert names(out.getvalue()) == ["new", "new/e", "new/f", "new/g", "new/p", "new/s"]


def test_what_a_container_takes_away_while_it_is_read_is_left_out(tmp_path, monkeypatch):
    (tmp_path / "d" / "folder" / "below").mkdir(parents=True)
    (tmp_path / "d" / "file").write_text("body")
    (tmp_path / "d" / "link").symlink_to("/nowhere")
    (tmp_path / "d" / "pipe").write_text("body")
    (tmp_path / "d" / "stays").write_text("body")
    (tmp_path / "d" / "twice").write_text("body")
    os.link(tmp_path / "d" / "twice", tmp_path / "d" / "twin")
    gone = set()

    def late(_parent: int, name: str) -> tuple[()]:  # between the look and the use
        path = tmp_path / "d" / name
        if name == "folder":
            shutil.rmtree(path)
        elif name in ("file", "link", "pipe", "twice"):
            path.unlink()
            gone.add(name)
        if name == "pipe":
            os.mkfifo(path)
        return ()

    monkeypatch.setattr(archive, "_xattrs", late)
    out = io.BytesIO()
    fd = os.open(tmp_path, os.O_RDONLY)
    write_path(fd, "d", "d", out.write)
    os.close(fd)
    assert gone == {"file", "link", "pipe", "twice"}
    assert names(out.getvalue()) == ["d", "d/folder", "d/stays", "d/twin"]
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as file:  # noqa: TID251
        assert file.getmember("d/twin").isreg()


def test_a_recorded_owner_is_the_owner_and_the_record_stays_here(tmp_path):
    (tmp_path / "owned").write_text("x")
    os.setxattr(tmp_path / "owned", RECORD, bytes(Record(7, 8)))
    os.setxattr(tmp_path / "owned", "user.mine", b"kept")
    out = io.BytesIO()
    fd = os.open(tmp_path, os.O_RDONLY)
    write_path(fd, "owned", "owned", out.write)
    os.close(fd)
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as file:  # noqa: TID251
        member = file.getmember("owned")
    assert (member.uid, member.gid) == (7, 8)
    assert member.pax_headers["SCHILY.xattr.user.mine"] == "kept"
    assert not any("lamina" in key for key in member.pax_headers)


@pytest.mark.root
def test_a_hostile_symlink_shows_the_containers_file_and_never_the_hosts(containers: Containers):
    name = containers.create(CreateRequest("tiny", ("sleep", "1000"))).id
    evil = (Piece("up", link="../../../../../etc/passwd"), Piece("etc2", link="/etc"))
    containers.copy_in(name, "/home", io.BytesIO(tar(evil)))
    for _ in range(2):
        out = io.BytesIO()
        containers.copy_out(name, "/home/etc2/passwd", out.write)
        assert b"nobody:x:65534" in out.getvalue()
        assert containers.path_stat(name, "/home/up").target == "../../../../../etc/passwd"
        containers.copy_in(name, "/home/etc2", io.BytesIO(tar([Piece("mark", b"x")])))
        assert containers.path_stat(name, "/etc/mark").size == 1
        assert not os.path.exists("/etc/mark")
        if not containers.is_running(name):
            containers.start(name).close()
    containers.remove(name, force=True)


@pytest.mark.root
def test_a_volume_is_reached_whether_the_container_runs_or_not(containers: Containers, tmp_path):
    (tmp_path / "f").write_text("outside")
    mounts = (VolumeMount("bind", str(tmp_path), "/data"),)
    name = containers.create(CreateRequest("tiny", ("sleep", "1000"), mounts=mounts)).id
    assert containers.path_stat(name, "/data/f").size == 7
    containers.start(name).close()
    assert containers.path_stat(name, "/data/f").size == 7
    containers.remove(name, force=True)


@pytest.mark.root
def test_what_is_not_there_is_said_in_dockers_words(containers: Containers):
    name = containers.create(CreateRequest("tiny", ("sh",), name="t3")).id
    with pytest.raises(PathNotFound, match="Could not find the file /nosuch in container t3"):
        containers.path_stat(name, "/nosuch")
    with pytest.raises(PathNotFound):
        containers.copy_in(name, "/no/such", io.BytesIO(tar([])))
    with pytest.raises(Invalid, match="not a directory"):
        containers.copy_in(name, "/etc/passwd", io.BytesIO(tar([])))
    with pytest.raises(Invalid, match="not a directory"):
        containers.path_stat(name, "/etc/passwd/")
