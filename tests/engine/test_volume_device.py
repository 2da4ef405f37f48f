import pytest

from lamina.engine.volume_device import VolumeDevice, device_of
from lamina.errors import Invalid, Unsupported


@pytest.mark.parametrize(
    ("text", "device"),
    [
        ("", None),
        ("o=bind device=/a", VolumeDevice("bind", "/a")),
        ("type=none o=rbind,ro device=/a", VolumeDevice("bind", "/a", ("ro",))),
        ("type=tmpfs device=tmpfs", VolumeDevice("tmpfs", "tmpfs")),
        (
            "type=tmpfs device=tmpfs o=defaults,size=1m,uid=7",
            VolumeDevice("tmpfs", "tmpfs", ("size=1m", "uid=7")),
        ),
        (
            "type=nfs device=:/x o=addr=localhost,rw",
            VolumeDevice("nfs", ":/x", ("addr=localhost", "rw")),
        ),
        ("type=ext4 device=/dev/sdb1", VolumeDevice("ext4", "/dev/sdb1")),
    ],
)
def test_options_are_read(text, device):
    assert device_of(dict(row.split("=", 1) for row in text.split())) == device


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("kind=nfs", Invalid, 'invalid option: "kind"'),
        ("size=1g", Unsupported, "needs project quotas"),
        ("device=/a", Invalid, 'missing required option: "type"'),
        ("type=tmpfs", Invalid, 'missing required option: "device"'),
        ("type=nfs device=:/x", Invalid, "needs its server in o"),
        ("type=none o=bind device=a", Invalid, "has type none and its path as device"),
        ("type=ext4 o=bind device=/a", Invalid, "has type none and its path as device"),
        ("o=bind,noexec device=/a", Unsupported, "takes ro alone, not noexec"),
        ("type=tmpfs device=x o=rshared", Invalid, "invalid option of a volume's mount: rshared"),
    ],
)
def test_what_cannot_be_is_refused(text, kind, words):
    with pytest.raises(kind) as error:
        device_of(dict(row.split("=", 1) for row in text.split()))
    assert words in error.value.message


def test_the_kernel_gets_the_servers_address():
    assert VolumeDevice("nfs", ":/x", ("addr=127.0.0.1", "ro")).located().options == (
        "addr=127.0.0.1",
        "ro",
    )
    assert VolumeDevice("nfs4", ":/x", ("addr=localhost",)).located().options[0] in (
        "addr=127.0.0.1",
        "addr=::1",
    )
    nowhere = f"addr={'a' * 70}"  # too long for a name: nobody is asked
    own = VolumeDevice("fuse", "x", (nowhere,))
    assert own.located() == own
    with pytest.raises(Invalid, match=r"the volume's server a+ is not found"):
        VolumeDevice("nfs", ":/x", (nowhere,)).located()
