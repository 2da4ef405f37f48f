from typing import Any

import pytest

from lamina.spec.bundle import (
    CAPABILITIES,
    DEFAULT_CAPABILITIES,
    Account,
    Bundle,
    CapabilityUnknown,
    ProcessSettings,
    UserUnknown,
    capabilities,
    environment,
    resolve_user,
    runtime_config,
    runtime_process,
)

PASSWD = "root:x:0:0:root:/root:/bin/sh\nwww:x:33:33::/var/www:/bin/sh\nshort:x\n"
GROUP = "root:x:0:\nwww:x:33:\naudio:x:29:www,root\nvideo:x:44:www\n"


def config(bundle: Bundle, **facts: object) -> dict[str, Any]:
    process = ProcessSettings(("true",))
    facts = {"machine": "x86_64", "kernel": "6.1.0", **facts}
    return runtime_config(bundle, process, Account(), rootfs="/r", **facts)  # type: ignore[arg-type]


def test_a_user_is_found_by_name_with_home_and_extra_groups():
    assert resolve_user("www", PASSWD, GROUP) == Account(33, 33, (29, 44), "/var/www")


def test_no_user_means_root():
    assert resolve_user("", PASSWD, GROUP) == Account(0, 0, (29,), "/root")


def test_a_number_need_not_be_in_the_files():
    assert resolve_user("1234", PASSWD, GROUP) == Account(1234, 0, (), "/")
    assert resolve_user("1234:77", "", "") == Account(1234, 77, (), "/")


def test_a_named_group_replaces_the_extra_ones():
    assert resolve_user("www:audio", PASSWD, GROUP) == Account(33, 29, (), "/var/www")


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ("nobody", "unable to find user nobody: no matching entries in passwd file"),
        ("www:none", "unable to find group none: no matching entries in group file"),
    ],
)
def test_an_unknown_name_is_said_in_dockers_words(user: str, words: str):
    with pytest.raises(UserUnknown, match=words):
        resolve_user(user, PASSWD, GROUP)


def test_capabilities_are_added_and_dropped_whatever_their_spelling():
    chosen = capabilities(["sys_admin", "CAP_NET_ADMIN"], ["Mknod"])
    assert set(chosen) == set(DEFAULT_CAPABILITIES) - {"CAP_MKNOD"} | {
        "CAP_SYS_ADMIN",
        "CAP_NET_ADMIN",
    }


def test_all_capabilities_can_be_dropped_but_for_one():
    assert capabilities(["CHOWN"], ["ALL"]) == ("CAP_CHOWN",)
    assert capabilities(["ALL"], ["CHOWN"]) == CAPABILITIES[1:]
    assert capabilities([], [], privileged=True) == CAPABILITIES


def test_an_unknown_capability_is_refused_by_name():
    with pytest.raises(CapabilityUnknown, match='invalid capability "FLY"'):
        capabilities(["FLY"], [])


def test_the_environment_begins_with_path_and_hostname_and_the_later_value_wins():
    rows = environment(["PATH=/x", "A=1"], ["A=2", "B"], hostname="h", terminal=True)
    assert rows == ("PATH=/x", "HOSTNAME=h", "TERM=xterm", "A=2")


def test_home_comes_from_the_account_unless_it_is_set():
    account = Account(33, 33, (), "/var/www")
    process = runtime_process(ProcessSettings(("a",)), account)
    assert "HOME=/var/www" in process["env"]
    process = runtime_process(ProcessSettings(("a",), env=("HOME=/h",)), account)
    assert process["env"] == ["HOME=/h"]


def test_a_user_who_is_not_root_holds_no_capability_but_may_gain_them():
    process = runtime_process(ProcessSettings(("a",)), Account(33))
    assert process["capabilities"]["effective"] == []
    assert process["capabilities"]["bounding"] == list(DEFAULT_CAPABILITIES)
    assert process["capabilities"]["ambient"] == []


def test_the_defaults_are_masked_paths_and_namespaces_of_its_own():
    linux = config(Bundle())["linux"]
    kinds = {row["type"] for row in linux["namespaces"]}
    assert kinds == {"mount", "uts", "pid", "ipc", "network"}
    assert "/proc/kcore" in linux["maskedPaths"]
    assert "/proc/sys" in linux["readonlyPaths"]
    assert linux["seccomp"]["defaultAction"] == "SCMP_ACT_ERRNO"
    assert linux["resources"]["devices"] == [{"allow": False, "access": "rwm"}]


def test_a_privileged_container_sees_everything():
    linux = config(Bundle(privileged=True))["linux"]
    assert linux["maskedPaths"] == [] == linux["readonlyPaths"]
    assert "seccomp" not in linux


def test_a_filter_of_ones_own_holds_even_a_privileged_container():
    bundle = Bundle(privileged=True, seccomp='{"defaultAction": "SCMP_ACT_LOG"}')
    assert config(bundle)["linux"]["seccomp"]["defaultAction"] == "SCMP_ACT_LOG"
    assert "seccomp" not in config(Bundle(seccomp="unconfined"))["linux"]
    assert "seccomp" not in config(Bundle(seccomp="{}"))["linux"]


@pytest.mark.parametrize(
    ("network", "rows"),
    [
        ("host", []),
        ("none", [{"type": "network"}]),
        ("/run/n", [{"type": "network", "path": "/run/n"}]),
    ],
)
def test_the_network_is_the_hosts_a_new_one_or_a_given_one(
    network: str, rows: list[dict[str, str]]
):
    found = config(Bundle(network=network))["linux"]["namespaces"]
    assert [row for row in found if row["type"] == "network"] == rows


def test_a_namespace_without_a_tty_group_gets_no_gid_option():
    def options(**facts: object) -> list[str]:
        mounts = config(Bundle(), **facts)["mounts"]
        return next(m["options"] for m in mounts if m["destination"] == "/dev/pts")

    assert "gid=5" in options()
    assert "gid=5" not in options(known_groups=1)


def test_rootless_on_the_hosts_network_binds_sys():
    mounts = config(Bundle(network="host"), rootless=True)["mounts"]
    assert next(m["type"] for m in mounts if m["destination"] == "/sys") == "bind"


def test_mounts_come_parents_first_and_replace_the_default_ones():
    bundle = Bundle(
        binds=(
            {"destination": "/a/b", "type": "bind", "source": "/s", "options": []},
            {"destination": "/a", "type": "bind", "source": "/t", "options": []},
            {"destination": "/dev/shm", "type": "bind", "source": "/u", "options": []},
        ),
        tmpfs={"/run": "size=1m"},
    )
    mounts = config(bundle)["mounts"]
    order = [m["destination"] for m in mounts]
    assert order.index("/a") < order.index("/a/b")
    assert order.count("/dev/shm") == 1
    run = next(m for m in mounts if m["destination"] == "/run")
    assert "size=1m" in run["options"]
    assert "noexec" in run["options"]


def test_settings_go_to_the_shim_and_back():
    process = ProcessSettings(
        ("a", "b"), ("X=1",), "/w", "u", terminal=True, no_new_privileges=True
    )
    assert ProcessSettings.from_json(process.to_json()) == process
    bundle = Bundle(hostname="h", tmpfs={"/t": ""}, binds=({"a": 1},), sysctl={"k": "v"})
    assert Bundle.from_json(bundle.to_json()) == bundle
