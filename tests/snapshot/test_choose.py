"""The choice of a driver, by what the machine has."""

import os
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from tests.store.disks import mounted

from lamina.errors import Invalid, Unsupported
from lamina.settings import Settings
from lamina.snapshot.choose import Probe, _disk_type, choose
from lamina.snapshot.layers import Layers

BEST = Probe(
    kernel=(6, 18),
    file_systems=frozenset({"erofs", "overlay", "ext4"}),
    may_mount=True,
    root_user=True,
    in_namespace=False,
    disk_type="ext4",
)
NO_EROFS = replace(BEST, file_systems=frozenset({"overlay"}))
NO_OVERLAY = replace(BEST, file_systems=frozenset({"erofs"}))


def chosen(probe, driver=""):
    settings = Settings("/nowhere", "/run/nowhere", "", storage_driver=driver)
    return choose(settings, Layers("/nowhere"), probe)


@pytest.mark.parametrize(
    ("probe", "name", "reason"),
    [
        (BEST, "sealed", "as they are"),
        (NO_EROFS, "unpacked", "no EROFS"),
        (replace(BEST, kernel=(6, 11)), "unpacked", r"kernel 6\.11"),
        (replace(BEST, in_namespace=True), "unpacked", "real root only"),
        (replace(BEST, root_user=False, may_mount=False), "unpacked", "real root only"),
        (NO_OVERLAY, "copied", "no overlayfs"),
        (replace(BEST, may_mount=False), "copied", "CAP_SYS_ADMIN"),
        (replace(BEST, disk_type="overlay"), "copied", "lies on overlay"),
        (replace(NO_OVERLAY, in_namespace=True), "copied", "no overlayfs"),
    ],
)
def test_the_best_driver_that_works_is_chosen_and_says_why(probe, name, reason):
    snapshotter = chosen(probe)
    assert snapshotter.name == name
    assert re.search(reason, snapshotter.reason)


def test_the_settings_choice_is_honoured_where_it_can_work():
    for driver in ("sealed", "unpacked", "copied"):
        snapshotter = chosen(BEST, driver)
        assert snapshotter.name == driver
        assert "LAMINA_STORAGE_DRIVER" in snapshotter.reason
    with pytest.raises(Unsupported, match="kernel has no EROFS") as error:
        chosen(NO_EROFS, "sealed")
    assert "unset LAMINA_STORAGE_DRIVER" in error.value.hint
    with pytest.raises(Invalid, match="zfs") as wrong:
        chosen(BEST, "zfs")
    assert "sealed, unpacked, copied" in wrong.value.hint


def test_user_namespaces_get_user_xattrs_and_old_kernels_no_direct_reads():
    def options(probe):
        snapshotter = chosen(probe)
        return snapshotter._surroundings

    assert options(BEST).directio
    assert not options(replace(BEST, kernel=(6, 12))).directio
    assert not options(BEST).userxattr
    assert options(replace(BEST, in_namespace=True)).userxattr


def test_the_root_folders_file_system_is_the_one_mounted_last_and_deepest():
    table = """\
1 0 0:1 / / rw - overlay overlay rw
2 1 8:1 / /var rw shared:1 - ext4 /dev/sda rw
3 1 8:2 / /variety rw - xfs /dev/sdb rw
4 2 8:3 / /var/lib\\040x rw - btrfs /dev/sdc rw
5 2 8:4 / /var rw - tmpfs tmpfs rw
"""
    assert _disk_type("/home", table) == "overlay"
    assert _disk_type("/var/lib/lamina", table) == "tmpfs"
    assert _disk_type("/variety/a", table) == "xfs"
    assert _disk_type("/var/lib x/a", table) == "btrfs"
    assert _disk_type("/var", "") == ""


def test_this_machine_can_be_probed(tmp_path):
    probe = Probe.of_this_machine(str(tmp_path))
    assert probe.kernel > (4, 0)
    assert "proc" in probe.file_systems
    assert probe.root_user == (os.geteuid() == 0)
    assert probe.disk_type


@pytest.mark.root
def test_the_probe_sees_the_file_system_and_the_user_namespace(tmp_path):
    with mounted(tmp_path / "disk", "1m") as place:
        assert Probe.of_this_machine(f"{place}/root").disk_type == "tmpfs"
    program = (
        "from lamina.snapshot.choose import Probe;"
        "probe = Probe.of_this_machine('/'); print(probe.in_namespace, probe.one_owner)"
    )
    seen = subprocess.run(
        ["unshare", "-Ur", sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": os.path.abspath("src")},
    )
    assert seen.stdout.split() == ["True", "True"]
