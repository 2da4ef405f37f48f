from pathlib import Path

import pytest

from lamina.engine import hostfiles
from lamina.engine.hostfiles import FILES, needs_forwarder, resolver_lines, write_host_files
from lamina.engine.records import ContainerRecord
from lamina.spec.digest import Digest


def record(folder: Path, mounts=(), **host: object) -> ContainerRecord:
    return ContainerRecord(
        "a" * 64, "n", "", Digest.of(b""), "i", (), {"Hostname": "box", "Domainname": "lan"}, host,
        "sh", (), "sealed", mounts=mounts, folder=str(folder),
    )  # fmt: skip


def test_three_files_are_written_once_and_shown(tmp_path):
    mounts = write_host_files(record(tmp_path, NetworkMode="none", ExtraHosts=["db:1.2.3.4"]))
    assert [mount["destination"] for mount in mounts] == [f"/etc/{name}" for name in FILES]
    assert "1.2.3.4\tdb\n" in (tmp_path / "hosts").read_text()
    assert (tmp_path / "hosts").read_text().endswith("\tbox.lan box\n")
    assert (tmp_path / "resolv.conf").read_text() == ""
    (tmp_path / "hosts").write_text("changed inside\n")
    write_host_files(record(tmp_path, NetworkMode="none"))
    assert (tmp_path / "hosts").read_text() == "changed inside\n"


def test_servers_of_ones_own_replace_the_machines(tmp_path):
    write_host_files(record(tmp_path, Dns=["9.9.9.9"]))
    assert (tmp_path / "resolv.conf").read_text() == "nameserver 9.9.9.9\n"


def test_a_mount_on_one_of_them_wins_and_a_read_only_root_keeps_them_so(tmp_path):
    own = ({"Destination": "/etc/hosts"},)
    mounts = write_host_files(record(tmp_path, own, ReadonlyRootfs=True))
    assert [mount["destination"] for mount in mounts] == ["/etc/hostname", "/etc/resolv.conf"]
    assert all("ro" in mount["options"] for mount in mounts)


@pytest.fixture
def machine_has(tmp_path, monkeypatch):
    def write(**texts: str) -> None:
        for name, text in texts.items():
            (tmp_path / name).write_text(text)

    monkeypatch.setattr(hostfiles, "_RESOLV", str(tmp_path / "resolv"))
    monkeypatch.setattr(hostfiles, "_UPSTREAM", str(tmp_path / "upstream"))
    return write


def test_servers_on_the_machines_loopback_are_not_given_to_containers(tmp_path, machine_has):
    machine_has(resolv="nameserver 127.0.0.1\nnameserver 9.9.9.9\nsearch lan\n")
    assert resolver_lines(record(tmp_path), resolver=False) == "nameserver 9.9.9.9\nsearch lan\n"
    assert not needs_forwarder(record(tmp_path))
    machine_has(resolv="nameserver ::1\nnameserver 127.0.0.1\n")
    assert resolver_lines(record(tmp_path), resolver=False) == ""
    assert needs_forwarder(record(tmp_path))
    assert not needs_forwarder(record(tmp_path, Dns=["127.0.0.9"]))
    machine_has(resolv="")
    assert not needs_forwarder(record(tmp_path)), "a machine without servers has none to ask"


def test_what_systemds_resolver_asks_is_asked_directly(tmp_path, machine_has):
    machine_has(resolv="nameserver 127.0.0.53\n", upstream="nameserver 10.1.1.1\n")
    assert resolver_lines(record(tmp_path), resolver=False) == "nameserver 10.1.1.1\n"
    assert not needs_forwarder(record(tmp_path))
    machine_has(resolv="nameserver 127.0.0.1\n")
    assert needs_forwarder(record(tmp_path)), "another resolver's file says nothing about it"
