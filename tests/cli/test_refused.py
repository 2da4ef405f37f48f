"""Every flag that Docker's own command lists is taken, or refused by name with the reason."""

import io
import json
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from lamina.cli.catalogue import COMMANDS, aliases
from lamina.cli.context import Context
from lamina.cli.creating import FLAGS, request_of
from lamina.cli.flags import BOOL, FlagInvalid, parse
from lamina.cli.main import _load, main
from lamina.cli.refused import (
    CLUSTER,
    CREATE,
    ENDPOINT,
    LINK_LOCAL,
    REMOVE,
    START,
    SWARM,
    UPDATE,
)
from lamina.engine.requests import config_document, host_document

RECORDED = Path(__file__).parent / "docker_flags.json"
OURS_ALONE = {
    "base_images", "cat", "copy", "explain", "explore", "fork", "fsck", "index", "inventory", "layers", "ls", "packages", "rollback", "secrets",
    "snapshot", "tags", "undo", "waste", "whence",
}  # fmt: skip
CHECKED = sorted(
    {
        aliases(path)[-1]
        for path, (module, summary) in COMMANDS.items()
        if summary and module not in OURS_ALONE
    }
)
"""Every command that Docker has, too, by its shortest name."""

ELSEWHERE = {
    "attach",
    "disable-content-trust",
    "isolation",
    "platform",
    "pull",
    "quiet",
    "volume-driver",
}
"""Flags that are no part of what a container is."""

REFUSED = {flag.name for flag in (*CREATE, *LINK_LOCAL)}
SAMPLES = {
    "add-host": "db:10.0.0.1",
    "blkio-weight": "500",
    "blkio-weight-device": "/dev/sda:500",
    "cpu-period": "50000",
    "cpu-quota": "25000",
    "cpu-shares": "512",
    "cpus": "0.5",
    "device": "/dev/null:/dev/other",
    "device-read-bps": "/dev/sda:1mb",
    "device-read-iops": "/dev/sda:100",
    "device-write-bps": "/dev/sda:1mb",
    "device-write-iops": "/dev/sda:100",
    "env": "A=b",
    "expose": "80",
    "group-add": "7",
    "device-cgroup-rule": "c 10:229 rwm",
    "ip6": "fd00::2",
    "volumes-from": "other:ro",
    "health-cmd": "true",
    "health-interval": "5s",
    "health-retries": "7",
    "health-start-interval": "5s",
    "health-start-period": "5s",
    "health-timeout": "5s",
    "ip": "10.5.0.2",
    "link": "other:alias",
    "log-driver": "none",
    "log-opt": "max-size=1m",
    "mac-address": "92:d0:c6:0a:29:33",
    "memory": "64m",
    "memory-reservation": "64m",
    "memory-swap": "-1",
    "memory-swappiness": "0",
    "mount": "type=tmpfs,target=/t",
    "oom-score-adj": "7",
    "pids-limit": "7",
    "publish": "80:80",
    "restart": "always",
    "security-opt": "no-new-privileges",
    "shm-size": "1m",
    "stop-timeout": "7",
    "tmpfs": "/t",
    "ulimit": "nofile=64",
    "volume": "/tmp:/t",
    "workdir": "/w",
}  # fmt: skip


def ask_docker(command):
    """Give Docker's flags of a command: name to [letter, kind of value]."""
    done = subprocess.run(
        ["docker", *command.split(), "--help"], check=True, capture_output=True, text=True
    )
    row = re.compile(r"^ +(?:-(\S), )? *--([a-z0-9-]+)(?: (\S+))?  +\S", re.MULTILINE)
    return {name: [short, kind] for short, name, kind in row.findall(done.stdout) if name != "help"}


@cache
def recorded():
    return json.loads(RECORDED.read_text(encoding="utf-8"))


def flags_of(command):
    """Give Docker's flags as they are where docker is installed, else as they were in 28.2."""
    return ask_docker(command) if shutil.which("docker") else recorded()[command]


@cache
def ours(command):
    return {flag.name: flag for flag in _load(COMMANDS[command][0])[0].flags}


@pytest.mark.parametrize("command", CHECKED)
def test_each_flag_of_dockers_is_known_with_its_letter_and_arity(command):
    wanted = flags_of(command)
    known = ours(command)
    assert not set(wanted) - set(known)
    for name, (short, kind) in wanted.items():
        flag = known[name]
        assert (flag.short, name) == (short, name)
        assert (flag.kind is BOOL) == (kind == ""), name


@pytest.mark.parametrize("command", CHECKED)
def test_the_recorded_list_has_what_the_docker_here_lists(command):
    assert flags_of(command) == recorded()[command]


def documents(*words):
    asked = parse(FLAGS, [*words, "image", "true"], interspersed=False)
    context = Context(out=io.StringIO(), err=io.StringIO(), environ={})
    made = request_of(asked, context, attached=True)
    name = made.name
    return (
        config_document(made, {}, "0" * 64),
        host_document(made),
        made.networks,
        made.mounts,
        name,
    )


@pytest.mark.parametrize("name", sorted(recorded()["create"].keys() - REFUSED - ELSEWHERE))
def test_each_flag_that_create_takes_changes_the_container(name, tmp_path):
    value = SAMPLES.get(name, "true" if ours("create")[name].kind is BOOL else "host")
    if name in ("env-file", "label-file"):
        (tmp_path / name).write_text("a=b\n", encoding="utf-8")
        value = str(tmp_path / name)
    assert documents(f"--{name}={value}") != documents()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (flag.name, (*command.split(), f"--{flag.name}{'' if flag.kind is BOOL else '=1'}", *rest))
        for command, flags, rest in (
            ("create", (*CREATE, *LINK_LOCAL), ("image",)),
            ("network connect", (*LINK_LOCAL, *ENDPOINT), ("net", "box")),
            ("volume create", SWARM, ("name",)),
            ("volume ls", CLUSTER, ()),
            ("start", START, ("name",)),
            ("update", UPDATE, ("name",)),
            ("rm", REMOVE, ("name",)),
        )
        for flag in flags
    ],
)
def test_what_cannot_be_had_is_refused_by_name_with_a_reason_and_advice(flags, words):
    err = io.StringIO()
    assert main(words, Context(out=io.StringIO(), err=err, environ={})) == 125
    said, hint = err.getvalue().split("\n", 1)
    assert f"--{flags} " in said
    assert hint.startswith("hint: ")


@pytest.mark.parametrize(
    "flag", ["--disable-content-trust=false", "--isolation=hyperv", "--volume-driver=nfs"]
)
def test_a_flag_with_one_value_here_says_so_for_others(flag):
    with pytest.raises(FlagInvalid) as caught:
        documents(flag)
    assert caught.value.hint


@pytest.mark.parametrize(
    "flag", ["--disable-content-trust", "--isolation=default", "--volume-driver=local"]
)
def test_the_one_value_that_a_flag_has_here_is_taken(flag):
    assert documents(flag) == documents()


@pytest.mark.parametrize("command", ["create", "pull", "push", "run"])
def test_signatures_of_notary_are_not_looked_at_in_silence(command):
    err = io.StringIO()
    words = (command, "--disable-content-trust=false", "image")
    assert main(words, Context(out=io.StringIO(), err=err, environ={})) == 125
    assert "signatures of Notary, which are not supported" in err.getvalue()
