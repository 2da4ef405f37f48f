import os
import secrets
import subprocess

import pytest
from tests.containers import eventually

from lamina.runtime import cgroups


def test_the_layout_is_one_of_four():
    assert cgroups.layout() in ("unified", "hybrid", "legacy", "none")


def test_no_group_cannot_be_frozen_and_is_removed_at_once():
    group = cgroups.Cgroup()
    assert not group.freeze(frozen=True)
    group.remove()


def test_nobody_there_is_nobody_signalled():
    import signal

    cgroups.signal_all([2**22 + 1], signal.SIGTERM)


@pytest.mark.root
def test_a_frozen_group_stands_still_and_is_gone_after():
    name = secrets.token_hex(8)
    group = cgroups.create(name, privileged=False)
    assert group.folders
    child = subprocess.Popen(["sleep", "100"], preexec_fn=group.enter)  # noqa: PLW1509
    with open(f"{group.freezer}/cgroup.procs", encoding="ascii") as file:
        assert str(child.pid) in file.read().split()
    assert group.freeze(frozen=True)
    assert group.freeze(frozen=False)
    child.kill()
    child.wait()
    cgroups.discard(name)
    assert eventually(lambda: not any(map(os.path.exists, group.folders)))


@pytest.mark.root
def test_a_group_keeps_the_hosts_disks_shut():
    name = secrets.token_hex(8)
    group = cgroups.create(name, privileged=False)
    try:
        if group.confined:
            devices = next(folder for folder in group.folders if "/devices/" in folder)
            with open(f"{devices}/devices.list", encoding="ascii") as file:
                rules = file.read()
            assert "a *:* rwm" not in rules
            assert "c 1:3 rwm" in rules
    finally:
        group.remove()
