import io
import os

import pytest
from tests.images import tiny

from lamina.engine import execution
from lamina.engine.archives import ImportRequest
from lamina.engine.engine import Engine
from lamina.engine.requests import CreateRequest, ExecRequest, VolumeMount
from lamina.errors import Invalid


@pytest.fixture
def shelf(engine: Engine) -> Engine:
    engine.images.import_(io.BytesIO(tiny()), ImportRequest(name="tiny", changes=("CMD sh",)))
    return engine


def test_a_run_folder_has_a_name_short_enough_for_a_socket():
    assert execution.order_folder("/run/x", "a" * 64) == "/run/x/c/" + "a" * 16


@pytest.mark.root
def test_what_a_killed_shim_left_is_in_nobodys_way(shelf: Engine):
    record = shelf.containers.create(CreateRequest("tiny", ("true",)))
    folder = execution.order_folder(shelf.settings.run_root, record.id)
    os.makedirs(f"{folder}/rootfs/left")
    with shelf.containers.start(record.id) as attachment:
        assert attachment.wait() == 0


@pytest.mark.root
def test_a_bind_source_that_went_away_is_named_at_the_start(shelf: Engine, tmp_path):
    (tmp_path / "gone").mkdir()
    mounts = (VolumeMount("bind", f"{tmp_path}/gone", "/data", make=False),)  # as --mount has it
    record = shelf.containers.create(CreateRequest("tiny", ("true",), mounts=mounts))
    (tmp_path / "gone").rmdir()
    with pytest.raises(Invalid, match="bind source path does not exist"):
        shelf.containers.start(record.id)
    assert not shelf.containers.is_running(record.id)


@pytest.mark.root
def test_several_may_attach_and_each_sees_the_output(shelf: Engine):
    request = CreateRequest("tiny", ("sh", "-c", "read x; echo got $x"), open_stdin=True)
    record = shelf.containers.create(request)
    with (
        shelf.containers.start(record.id) as first,
        shelf.containers.attach(record.id) as second,
    ):
        second.send(b"it\n")
        assert [first.receive()[1], second.receive()[1]] == [b"got it\n", b"got it\n"]
        assert first.wait() == second.wait() == 0


@pytest.mark.root
def test_an_exec_with_all_privileges_has_more_than_its_container(shelf: Engine):
    record = shelf.containers.create(CreateRequest("tiny", ("sleep", "100"), cap_drop=("ALL",)))
    shelf.containers.start(record.id).close()
    command = ("grep", "CapEff", "/proc/self/status")
    seen = []
    for privileged in (False, True):
        request = ExecRequest(command, privileged=privileged)
        with shelf.containers.exec(record.id, request) as attachment:
            seen.append(int(attachment.receive()[1].split()[1], 16))
            attachment.wait()
    assert seen[0] == 0
    assert seen[1] & 1 << 21
