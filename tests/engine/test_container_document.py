from tests.engine.worlds import make_engine

from lamina.engine.container_document import container_document
from lamina.engine.records import ContainerRecord, ContainerState
from lamina.spec.digest import Digest


def test_the_document_has_dockers_fields_and_hides_our_own(tmp_path):
    mount = {"Type": "volume", "Name": "v", "Anonymous": True, "Folder": "/x", "Destination": "/d"}
    record = ContainerRecord(
        "a" * 64, "n", "2026-01-01T00:00:00Z", Digest.of(b""), "i", (), {}, {}, "sh", ("-c",),
        "sealed", mounts=(mount,), folder="/f",
    )  # fmt: skip
    state = ContainerState("exited", started="2026-01-01T00:00:01Z", exit_code=3, error="why")
    document = container_document(make_engine(tmp_path), record, state)
    assert {
        "Id", "Created", "Path", "Args", "State", "Image", "ResolvConfPath", "HostnamePath",
        "HostsPath", "LogPath", "Name", "RestartCount", "Driver", "Platform", "HostConfig",
        "GraphDriver", "Mounts", "Config", "NetworkSettings",
    } <= set(document)  # fmt: skip
    assert document["Mounts"] == [{"Type": "volume", "Name": "v", "Destination": "/d"}]
    assert document["State"]["ExitCode"] == 3
    assert document["State"]["FinishedAt"] == "0001-01-01T00:00:00Z"
    assert document["State"]["Running"] is False
