"""The choice of a driver, by what the machine has."""

import os
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from tests.store.disks import mounted

from lamina.errors import Invalid, Unsupported
from lamina.layer.stack import Lower
from lamina.settings import Settings
from lamina.snapshot.choose import Probe, _disk_type, choose, survey
from lamina.snapshot.layers import Layers
from lamina.spec.digest import Digest

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


def chosen(probe, driver="", **options):
    settings = Settings("/nowhere", "/run/nowhere", "", storage_driver=driver, **options)
    return choose(settings, Layers("/nowhere"), probe)


def layer_options(probe, **options):
    """How a sealed layer would be mounted."""
    shots = chosen(probe, **options)
    lower = Lower(__file__, sealed=True, diff_id=Digest.of(b""))
    return shots._lower_mount(lower).options


@pytest.mark.parametrize(
    ("probe", "name", "reason"),
    [
        (BEST, "sealed", "as they are"),
        (NO_EROFS, "unpacked", "no EROFS"),
        (replace(BEST, kernel=(6, 11)), "sealed", "by loop devices"),
        (replace(BEST, kernel=(6, 4)), "sealed", "by loop devices"),
        (replace(BEST, disk_type="tmpfs"), "sealed", "by loop devices"),
        (replace(BEST, kernel=(6, 11), no_loop="/dev is empty"), "unpacked", "only, and /dev is"),
        (replace(BEST, kernel=(6, 3)), "unpacked", r"kernel 6\.3 .*512 bytes \(6\.4 can\)"),
        (replace(BEST, kernel=(5, 15)), "unpacked", r"kernel 5\.15"),
        (replace(BEST, in_namespace=True), "unpacked", "real root only"),
        (replace(BEST, root_user=False, may_mount=False), "unpacked", "real root only"),
        (NO_OVERLAY, "copied", "no overlayfs"),
        (replace(BEST, may_mount=False), "copied", "CAP_SYS_ADMIN"),
        (replace(BEST, disk_type="overlay"), "copied", "lies on overlay"),
        (replace(NO_OVERLAY, in_namespace=True), "copied", "no overlayfs"),
        (replace(BEST, in_namespace=True, kernel=(5, 10)), "copied", r"5\.10 .*\(5\.11 does"),
    ],
)
def test_the_best_driver_that_works_is_chosen_and_says_why(probe, name, reason):
    snapshotter = chosen(probe)
    assert snapshotter.name == name
    assert re.search(reason, snapshotter.reason)


@pytest.mark.parametrize(
    ("probe", "words"),
    [
        (BEST, "copy no content"),
        (NO_EROFS, "copy no content"),
        (NO_OVERLAY, "copy no content: each container has its own"),
        (replace(BEST, in_namespace=True), "for real root only"),
        (replace(BEST, kernel=(4, 18)), "from kernel 4.19 on"),
    ],
)
def test_what_changed_owners_cost_is_said(probe, words):
    assert chosen(probe).metadata_changes.endswith(words)


def test_the_settings_choice_is_honoured_where_it_can_work():
    for driver in ("sealed", "unpacked", "copied"):
        snapshotter = chosen(BEST, driver)
        assert snapshotter.name == driver
        assert "LAMINA_STORAGE_DRIVER" in snapshotter.reason
    with pytest.raises(Unsupported, match="kernel has no EROFS") as error:
        chosen(NO_EROFS, "sealed")
    assert "leave out --storage-driver" in error.value.hint
    with pytest.raises(Invalid, match="zfs") as wrong:
        chosen(BEST, "zfs")
    assert "sealed, unpacked, copied" in wrong.value.hint


def test_user_namespaces_get_user_xattrs():
    assert not chosen(BEST)._surroundings.userxattr
    assert chosen(replace(BEST, in_namespace=True))._surroundings.userxattr


SAFE = ("ro", "nosuid", "nodev")
"""How every layer is mounted: read-only, and of no use outside a container."""


@pytest.mark.parametrize(
    ("kernel", "options"),
    [
        ((6, 18), (*SAFE, "directio")),
        ((6, 12), SAFE),
        ((6, 11), (*SAFE, "loop", "directio")),
    ],
)
def test_old_kernels_mount_layers_by_loop_and_without_direct_reads(kernel, options):
    assert layer_options(replace(BEST, kernel=kernel)) == options


def test_the_storage_options_force_what_the_kernel_would_not_need():
    assert layer_options(BEST, erofs="loop") == (*SAFE, "loop", "directio")
    assert layer_options(BEST, erofs="loop", directio=False) == (*SAFE, "loop")
    assert layer_options(BEST, directio=False) == SAFE
    assert chosen(BEST, erofs="none").name == "unpacked"
    assert "erofs=none" in chosen(BEST, erofs="none").reason
    with pytest.raises(Unsupported, match="from a file"):
        chosen(replace(BEST, kernel=(6, 11)), "sealed", erofs="file")
    with pytest.raises(Unsupported, match="no loop-control"):
        chosen(replace(BEST, no_loop="no loop-control"), "sealed", erofs="loop")


def test_a_survey_says_of_every_driver_what_it_lacks():
    found = survey(Settings("/nowhere", "", ""), NO_EROFS)
    assert found.name == "unpacked"
    assert found.against == {"sealed": "the kernel has no EROFS", "unpacked": "", "copied": ""}


@pytest.mark.root
def test_loop_devices_are_missed_where_dev_has_none():
    program = (
        "from lamina.snapshot.choose import Probe;"
        "probe = Probe.of_this_machine('/'); print(probe.no_loop)"
    )
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", 'mount -t tmpfs tmpfs /dev && exec "$@"', "", sys.executable,
         "-c", program],
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": os.path.abspath("src"), "PATH": os.environ["PATH"]},
    )  # fmt: skip
    assert done.stdout == "/dev/loop-control cannot be opened (No such file or directory)\n"
    assert not Probe.of_this_machine("/").no_loop


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
