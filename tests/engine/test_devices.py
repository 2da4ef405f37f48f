import os

import pytest

from lamina.engine.devices import (
    Device,
    DeviceInvalid,
    check_rule,
    device_binds,
    device_rules,
    host_devices,
)


@pytest.mark.parametrize(
    ("text", "device"),
    [
        ("/dev/null", Device("/dev/null", "/dev/null")),
        ("/dev/null:r", Device("/dev/null", "/dev/null", "r")),
        ("/dev/null:/dev/x", Device("/dev/null", "/dev/x")),
        ("/dev/null:/dev/x:rw", Device("/dev/null", "/dev/x", "rw")),
    ],
)
def test_devices_are_read(text, device):
    assert Device.parse(text) == device
    assert Device.from_json(device.to_json()) == device


@pytest.mark.parametrize("text", ["null", "/dev/null:x", "/a:/b:rwx", "/a:/b:/c:r"])
def test_bad_devices_are_refused(text):
    with pytest.raises(DeviceInvalid, match="invalid device specification"):
        Device.parse(text)


def test_a_device_is_bound_and_allowed():
    device = Device("/dev/null", "/dev/nothing", "rw")
    assert device_rules([device]) == ("c 1:3 rw",)
    (bind,) = device_binds([device])
    assert (bind["source"], bind["destination"]) == ("/dev/null", "/dev/nothing")


def test_a_folder_stands_for_the_devices_in_it(tmp_path):
    (tmp_path / "in").mkdir()
    os.symlink("/dev/null", tmp_path / "in/n")
    os.symlink("/dev/zero", tmp_path / "z")
    (tmp_path / "plain").write_text("")
    assert device_rules([Device(str(tmp_path), "/dev/d")]) == ("c 1:3 rwm", "c 1:5 rwm")


@pytest.mark.parametrize("path", ["/dev/none/such", __file__])
def test_what_is_no_device_is_named(path):
    with pytest.raises(DeviceInvalid, match=f'adding custom device "{path}"'):
        device_binds([Device(path, "/dev/x")])


def test_links_in_circles_or_nowhere_and_other_files_are_no_devices(tmp_path):
    (tmp_path / "circle").symlink_to(tmp_path)
    (tmp_path / "dangling").symlink_to("/nowhere")
    (tmp_path / "file").write_text("")
    os.mkfifo(tmp_path / "fifo")
    assert list(Device(str(tmp_path), "/dev/d").nodes()) == []


def test_a_privileged_container_gets_this_machines_devices_but_no_terminal_of_ours():
    found = {device.target for device in host_devices()}
    assert not found & {"/dev/null", "/dev/console", "/dev/tty", "/dev/ptmx"}
    assert not any(path.startswith(("/dev/pts/", "/dev/shm/")) for path in found)
    assert all(os.access(path, os.R_OK) or os.access(path, os.W_OK) for path in found)


@pytest.mark.parametrize("rule", ["c 10:229 rwm", "b 7:* r", "a *:* rwm", "c *:3 mw"])
def test_rules_about_devices_are_read_as_the_kernel_writes_them(rule):
    check_rule(rule)


@pytest.mark.parametrize(
    "rule",
    ["", "c", "c 1:3", "x 1:3 rwm", "c 1 rwm", "c 1:2:3 r", "c 1:3 rwx", "c 1:3 rr", "c -1:3 r",
     "c 1:3  r", "c 1:99999999999 r", "c 1:3 rwm\nb *:* rwm"],
)  # fmt: skip
def test_a_rule_that_is_none_is_refused_in_dockers_words(rule):
    with pytest.raises(DeviceInvalid) as caught:
        check_rule(rule)
    assert caught.value.message == f"invalid device cgroup format '{rule}'"
