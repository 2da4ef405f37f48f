"""Containers through the library, as root: one engine, its state on disk, no command line."""

import io
import os
from collections.abc import Iterator

import pytest
from tests.containers import eventually
from tests.images import tiny

from lamina.engine.archives import ImportRequest
from lamina.engine.containers import ContainerInUse, Containers
from lamina.engine.engine import Engine
from lamina.engine.execution import ContainerNotRunning, ContainerRunning
from lamina.engine.names import ContainerUnknown, NameTaken
from lamina.engine.requests import CreateRequest, ExecRequest, MountInvalid, VolumeMount
from lamina.errors import InUse, Invalid, Unsupported
from lamina.runtime.attach import Attachment
from lamina.runtime.process import StartFailed

pytestmark = pytest.mark.root


@pytest.fixture
def containers(engine: Engine) -> Iterator[Containers]:
    engine.images.import_(io.BytesIO(tiny()), ImportRequest(name="tiny", changes=("CMD sh",)))
    yield engine.containers
    for record in engine.containers.records():
        engine.containers.remove(record.id, force=True, volumes=True)
    assert os.listdir(f"{engine.settings.root}/snapshots/active") == []


def run(containers: Containers, *command: str, **facts: object) -> tuple[str, int]:
    request = CreateRequest("tiny", command, **facts)  # type: ignore[arg-type]
    record = containers.create(request)
    with containers.start(record.id) as attachment:
        return record.id, attachment.wait() or 0


def sleeper(containers: Containers, **facts: object) -> str:
    record = containers.create(CreateRequest("tiny", ("sleep", "1000"), **facts))  # type: ignore[arg-type]
    containers.start(record.id).close()
    return record.id


def test_a_life_from_created_to_removed(containers: Containers):
    record = containers.create(CreateRequest("tiny", ("sleep", "1000"), name="life"))
    assert containers.state(record.id).status == "created"
    containers.start("life").close()
    assert containers.is_running(record.id)
    with pytest.raises(ContainerRunning):
        containers.start("life")
    with pytest.raises(ContainerInUse, match="stop the container before removing or force remove"):
        containers.remove("life")
    containers.stop("life", timeout_s=0)
    state = containers.state(record.id)
    assert (state.status, state.exit_code) == ("exited", 137)
    containers.restart("life", timeout_s=0)
    assert containers.is_running(record.id)
    containers.remove("life", force=True)
    with pytest.raises(ContainerUnknown):
        containers.record("life")


def test_names_are_unique_and_can_be_changed(containers: Containers):
    first = containers.create(CreateRequest("tiny", name="one"))
    with pytest.raises(NameTaken):
        containers.create(CreateRequest("tiny", name="one"))
    assert len(containers.records()) == 1
    containers.rename("one", "two")
    assert containers.record("two").id == first.id
    with pytest.raises(ContainerUnknown):
        containers.record("one")
    containers.create(CreateRequest("tiny", name="one"))
    with pytest.raises(NameTaken):
        containers.rename("one", "two")
    with pytest.raises(Invalid, match="same name"):
        containers.rename("one", "/one")


def test_only_what_was_changed_is_listed_and_mount_points_are_not(containers: Containers, tmp_path):
    name, code = run(
        containers, "sh", "-c", "echo x > /new; rm /etc/group; mkdir /mnt; touch /data/in /var/f",
        mounts=(VolumeMount("bind", str(tmp_path), "/data/in"),), tmpfs={"/scratch/deep": ""},
    )  # fmt: skip
    assert code == 0
    rows = [f"{change.kind} /{change.path.decode()}" for change in containers.changes(name)]
    assert rows == ["C /etc", "D /etc/group", "A /mnt", "A /new", "C /var", "A /var/f"]
    excluded = containers.excluded_paths(containers.record(name))
    assert {b"data/in", b"data", b"scratch/deep", b"scratch", b"etc/hosts"} <= excluded
    assert b"dev" not in excluded


def test_a_new_volume_begins_as_the_image_has_it_and_outlives_its_container(containers: Containers):
    mounts = (VolumeMount("volume", "conf", "/etc"),)
    run(containers, "sh", "-c", "echo kept > /etc/own", mounts=mounts)
    other, code = run(containers, "grep", "-q", "root", "/etc/passwd", mounts=mounts)
    assert code == 0
    _, code = run(containers, "grep", "kept", "/etc/own", mounts=mounts)
    assert code == 0
    containers.remove(other, volumes=True)
    assert os.path.isdir(f"{os.path.dirname(containers.files.folder)}/volumes/conf/_data")


def test_an_anonymous_volume_goes_with_its_container_when_asked(containers: Containers):
    name, _ = run(containers, "touch", "/data/x", mounts=(VolumeMount("volume", "", "/data"),))
    (mount,) = containers.record(name).mounts
    assert os.path.exists(f"{mount['Source']}/x")
    containers.remove(name, volumes=True)
    assert not os.path.exists(mount["Source"])


def test_what_cannot_be_mounted_is_refused_before_anything_is_made(containers: Containers):
    for facts in (
        {"mounts": (VolumeMount("bind", "/nosuch", "/x", make=False),)},
        {"mounts": (VolumeMount("bind", "/tmp", "/proc"),)},
        {"mounts": (VolumeMount("bind", "/tmp", "/x"),), "tmpfs": {"/x": ""}},
    ):
        with pytest.raises(MountInvalid):
            containers.create(CreateRequest("tiny", **facts))
    assert containers.records() == ()
    assert os.listdir(f"{containers.files.folder}") in ([], ["names"])


def test_hosts_and_hostname_are_files_of_the_containers_own(containers: Containers):
    name, _ = run(
        containers, "sh", "-c", "cat /etc/hosts /etc/hostname", hostname="box",
        extra_hosts=("db:10.1.2.3",), network="none",
    )  # fmt: skip
    text = "".join(line.text for line in containers.logs(name))
    assert "10.1.2.3\tdb\n" in text
    assert text.endswith("box\n")


def test_a_paused_container_refuses_what_needs_it_to_move(containers: Containers):
    name = sleeper(containers)
    with containers.paused(name):
        assert containers.state(name).status == "paused"
        with pytest.raises(InUse, match="already paused"):
            containers.pause(name)
        with pytest.raises(ContainerInUse, match="unpause it first"):
            containers.attach(name)
    assert containers.state(name).status == "running"
    containers.pause(name)
    containers.remove(name, force=True)


def test_deeds_on_a_container_that_does_not_run_say_so(containers: Containers):
    name = containers.create(CreateRequest("tiny")).id
    for deed in (containers.kill, containers.pause, containers.attach, containers.processes):
        with pytest.raises(ContainerNotRunning, match="not running"):
            deed(name)
    with pytest.raises(ContainerNotRunning):
        containers.exec(name, ExecRequest(("true",)))
    assert containers.wait(name) == 0
    with containers.paused(name):
        pass
    containers.stop(name)


def test_a_command_of_one_string_or_none_is_refused_in_words(containers: Containers):
    with pytest.raises(Invalid, match="a list of words, not one string: 'ls -l'"):
        containers.run("tiny", "ls -l", pull=False)
    with containers.run("tiny", ["sleep", "1000"], pull=False) as box:
        with pytest.raises(Invalid, match="a list of words"):
            box.exec("ls")
        with pytest.raises(Invalid, match="No exec command specified"):
            box.exec([])


def test_a_failed_start_leaves_the_container_and_its_reason(containers: Containers):
    record = containers.create(CreateRequest("tiny", ("nosuch",)))
    with pytest.raises(StartFailed, match="not found"):
        containers.start(record.id)
    state = containers.state(record.id)
    assert (state.status, state.exit_code) == ("created", 127)
    assert "executable file not found" in state.error


def test_a_removed_container_may_be_asked_for_by_the_start_that_failed(containers: Containers):
    record = containers.create(CreateRequest("tiny", ("nosuch",), auto_remove=True))
    with pytest.raises(StartFailed):
        containers.start(record.id)
    assert eventually(lambda: containers.records() == ())


def test_the_document_is_dockers(containers: Containers):
    name = sleeper(containers, name="doc", env=("A=1",))
    document = containers.inspect(name)
    assert document["Name"] == "/doc"
    assert document["State"]["Status"] == "running"
    assert document["State"]["Pid"] in containers.processes(name)
    assert document["Config"]["Env"] == ["A=1"]
    assert document["State"]["FinishedAt"] == "0001-01-01T00:00:00Z"
    titles, rows = containers.top(name)
    assert "PID" in titles
    assert len(rows) == 1
    with pytest.raises(Invalid, match="PID"):
        containers.top(name, ["-o", "comm"])


def test_one_that_is_removed_just_after_its_restart_was_restarted(
    containers: Containers, monkeypatch: pytest.MonkeyPatch
):
    sleeper(containers, name="again")
    start = Containers.start

    def brief(self: Containers, name: str, *, stdin: bool = False) -> Attachment:
        attachment = start(self, name, stdin=stdin)
        self.remove(name, force=True)
        return attachment

    monkeypatch.setattr(Containers, "start", brief)
    containers.restart("again", timeout_s=0)


def test_a_container_without_a_log_cannot_be_read(containers: Containers):
    name, _ = run(containers, "echo", "x", log_driver="none")
    with pytest.raises(Unsupported, match="does not support reading"):
        containers.logs(name)


def test_listing_shows_what_was_asked_for(containers: Containers):
    quiet, _ = run(containers, "sh", "-c", "exit 3", name="quiet", labels={"tier": "db"})
    loud = sleeper(containers, name="loud")

    def ids(**wanted: tuple[str, ...]) -> set[str]:
        return {row.id for row in containers.list(all=True, filters=wanted)}

    assert [row.id for row in containers.list()] == [loud]
    assert [row.id for row in containers.list(all=True)] == [loud, quiet]
    assert [row.id for row in containers.list(latest=1)] == [loud]
    assert ids(name=("lou",)) == {loud}
    assert ids(name=("^/quiet$",)) == {quiet}
    assert ids(label=("tier=db",)) == ids(label=("tier",)) == {quiet}
    assert ids(status=("running", "exited")) == {loud, quiet}
    assert ids(exited=("3",)) == {quiet}
    assert ids(ancestor=("tiny",)) == {loud, quiet}
    assert ids(before=("loud",)) == {quiet}
    assert ids(since=("quiet",)) == {loud}
    assert ids(id=(loud[:6],)) == {loud}
    assert containers.list(all=True, size=True)[1].size == 0
    for wanted in ({"odd": ("x",)}, {"status": ("odd",)}, {"name": ("^(",)}):
        with pytest.raises(Invalid, match="invalid filter"):
            containers.list(all=True, filters=wanted)
    assert {use.name for use in containers.disk_use()} == {"quiet", "loud"}
    assert containers.prune()[0] == (quiet,)


def test_files_go_in_and_out_whether_it_runs_or_not(containers: Containers):
    from tests.images import Piece, tar

    name = sleeper(containers)
    for turn in range(2):
        containers.copy_in(name, "/home", io.BytesIO(tar([Piece(f"f{turn}", b"x", uid=7)])))
        out = io.BytesIO()
        assert containers.copy_out(name, f"/home/f{turn}", out.write).size == 1
        assert b"x" in out.getvalue()
        assert containers.path_stat(name, "/home").is_directory
        if turn == 0:
            containers.stop(name, timeout_s=0)
    assert [c.path for c in containers.changes(name)] == [b"home", b"home/f0", b"home/f1"]
    out = io.BytesIO()
    containers.export(name, out.write)
    assert b"home/f1" in out.getvalue()
