from lamina.runtime.diary import Diary
from lamina.stream import journal

NETWORK = {"Networks": {"mine": {"NetworkID": "n1"}, "tunnel": {}}}


def diary(path, **order: object) -> Diary:
    return Diary({"path": str(path), "attributes": {"name": "box"}, **order}, "c1")


def noted(path) -> list[tuple[str, str, str]]:
    events = journal.read(str(path))
    return [(event["Type"], event["Action"], event["Actor"]["ID"]) for event in events]


def test_what_belongs_to_a_container_comes_before_its_start_and_after_its_end(tmp_path):
    volumes = [
        {"name": "kept", "destination": "/k", "writable": False, "doomed": False},
        {"name": "gone", "destination": "/g", "writable": True, "doomed": True},
    ]
    ours = diary(tmp_path / "j", volumes=volumes)
    ours.note_start(NETWORK)
    ours.note_end(NETWORK, 3)
    ours.note_removal()
    assert noted(tmp_path / "j") == [
        ("network", "connect", "n1"),
        ("volume", "mount", "kept"),
        ("volume", "mount", "gone"),
        ("container", "start", "c1"),
        ("container", "die", "c1"),
        ("network", "disconnect", "n1"),
        ("volume", "unmount", "kept"),
        ("volume", "unmount", "gone"),
        ("container", "destroy", "c1"),
        ("volume", "destroy", "gone"),
    ]
    events = list(journal.read(str(tmp_path / "j")))
    assert events[0]["Actor"]["Attributes"] == {"container": "c1", "name": "mine", "type": "bridge"}
    assert events[1]["Actor"]["Attributes"] == {
        "container": "c1",
        "destination": "/k",
        "driver": "local",
        "propagation": "",
        "read/write": "false",
    }
    assert events[4]["Actor"]["Attributes"] == {"name": "box", "exitCode": "3"}


def test_without_a_journal_nothing_is_noted(tmp_path):
    ours = Diary({}, "c1")
    ours.note("oom")
    ours.note_start(NETWORK)
    ours.note_end(NETWORK, 0)
    ours.note_removal()
    assert list(tmp_path.iterdir()) == []
