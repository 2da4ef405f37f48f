import pytest

from lamina.engine.requests import (
    CommandMissing,
    CreateRequest,
    MountInvalid,
    VolumeMount,
    config_document,
    host_document,
    signal_number,
)
from lamina.errors import Invalid

IMAGE = {"Entrypoint": ["/entry"], "Cmd": ["arg"], "Env": ["A=1", "B=2"], "User": "www"}


@pytest.mark.parametrize(
    ("text", "mount"),
    [
        ("/a:/b", VolumeMount("bind", "/a", "/b")),
        ("/a:/b/:ro", VolumeMount("bind", "/a", "/b", read_only=True)),
        ("data:/b:rw,z", VolumeMount("volume", "data", "/b")),
        ("/only", VolumeMount("volume", "", "/only")),
    ],
)
def test_volumes_are_read_as_docker_reads_them(text: str, mount: VolumeMount):
    assert VolumeMount.parse_volume(text) == mount


@pytest.mark.parametrize("text", ["a:b", "/a:/b:/c", "/a:/", "/a:/b:fast", ""])
def test_volumes_that_make_no_sense_are_refused(text: str):
    with pytest.raises(MountInvalid):
        VolumeMount.parse_volume(text)


def test_mounts_are_read_key_by_key():
    mount = VolumeMount.parse_mount("type=bind,src=/a,dst=/b,readonly")
    assert mount == VolumeMount("bind", "/a", "/b", read_only=True, make=False)
    mount = VolumeMount.parse_mount("type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=1770")
    assert (mount.kind, mount.options) == ("tmpfs", "size=1m,mode=1770")


@pytest.mark.parametrize(
    "text",
    ["type=odd,target=/a", "target=a", "type=bind,source=a,target=/b", "type=tmpfs,target=/t,x=1"],
)
def test_mounts_that_make_no_sense_are_refused(text: str):
    with pytest.raises(MountInvalid):
        VolumeMount.parse_mount(text)


@pytest.mark.parametrize(
    ("text", "number"), [("KILL", 9), ("sigterm", 15), ("9", 9), ("RTMIN+1", 35), ("SIGUSR1", 10)]
)
def test_signals_have_names_and_numbers(text: str, number: int):
    assert signal_number(text) == number


@pytest.mark.parametrize("text", ["", "0", "99", "NOPE", "_SETMASK", "TERM+x"])
def test_what_is_no_signal_is_refused(text: str):
    with pytest.raises(Invalid, match="Invalid signal"):
        signal_number(text)


def test_a_command_replaces_cmd_and_keeps_the_entrypoint():
    config = config_document(CreateRequest("i", ("x",)), IMAGE, "c" * 64)
    assert (config["Entrypoint"], config["Cmd"]) == (["/entry"], ["x"])


def test_an_entrypoint_of_ones_own_drops_the_images_cmd():
    config = config_document(CreateRequest("i", entrypoint=("sh",)), IMAGE, "c" * 64)
    assert (config["Entrypoint"], config["Cmd"]) == (["sh"], None)
    with pytest.raises(CommandMissing):
        config_document(CreateRequest("i", entrypoint=("",)), IMAGE, "c" * 64)


def test_the_persons_words_win_over_the_images():
    request = CreateRequest("i", env=("A=9", "C=3"), user="me", workdir="/w", labels={"k": "v"})
    config = config_document(request, IMAGE, "c" * 64)
    assert config["Env"] == ["A=9", "C=3", "B=2"]
    assert (config["User"], config["WorkingDir"], config["Labels"]) == ("me", "/w", {"k": "v"})
    assert config["Hostname"] == "c" * 12


def test_the_host_document_keeps_binds_as_written():
    request = CreateRequest("i", mounts=(VolumeMount("bind", "/a", "/b", read_only=True),))
    assert host_document(request)["Binds"] == ["/a:/b:ro"]


@pytest.mark.parametrize(
    "facts",
    [
        {"network": "name=mine,speed=2"},
        {"extra_hosts": ("x",)},
        {"extra_hosts": ("x:bar",)},
        {"dns": ("foo",)},
        {"labels": {"": "x"}},
        {"log_driver": "asdf"},
        {"stop_signal": "NOPE"},
        {"workdir": "relative"},
        {"cap_add": ("FLY",)},
    ],
)
def test_requests_that_cannot_be_are_refused(facts: dict[str, object]):
    with pytest.raises(Invalid):
        CreateRequest("i", **facts).check()  # type: ignore[arg-type]
