import json
from collections.abc import Iterator

import pytest
from tests.commands import Lamina
from tests.containers import world


@pytest.fixture(scope="module")
def lamina(tmp_path_factory) -> Iterator[Lamina]:
    with world(tmp_path_factory.mktemp("ps")) as lamina:
        yield lamina


def test_the_table_is_dockers(lamina: Lamina):
    lamina("run", "-d", "--name", "up", "tiny", "sh", "-c", "i=0; while true; do sleep 1; done")
    lamina.attempt("run", "--name", "down", "tiny", "sh", "-c", "exit 3")
    header, down, up = lamina("ps", "-a").splitlines()
    assert header.split("   ")[0] == "CONTAINER ID"
    assert "Exited (3)" in down
    assert "Up " in up
    assert '"sh -c \'i=0; while t…"' in up
    assert lamina("ps", "--format", "{{.Names}} {{.State}} {{.Image}}") == "up running tiny\n"
    assert len(lamina("ps", "-q", "--no-trunc").strip()) == 64
    assert lamina("ps", "-l", "--format", "{{.Names}}") == "down\n"
    assert lamina("ps", "-n", "2", "--format", "{{.Names}}") == "down\nup\n"
    assert lamina("ps", "-aqf", "status=exited", "-f", "exited=3").strip()
    assert "SIZE" in lamina("ps", "-s")
    assert '"Name": "up"' in lamina("ps", "--json")
    assert "invalid filter 'odd'" in lamina.attempt("ps", "-f", "odd=1").err
    lamina("rm", "-f", "up", "down")


def test_every_field_of_dockers_is_there(lamina: Lamina, tmp_path):
    lamina("create", "--name", "full", "-l", "tier=db", "-v", "averylongnameofavolume:/data",
           "-v", f"{tmp_path}:/host", "--network", "none", "tiny", "sh", "-c", "sleep 100000")  # fmt: skip
    form = '{{.LocalVolumes}}|{{.Networks}}|{{.Label "tier"}}|{{.Labels}}|{{.Mounts}}|{{.Ports}}|{{.State}}'
    shown = lamina("ps", "-a", "--format", form)
    cut = f"{tmp_path}"[:14] + "…"
    assert shown == f"1|none|db|tier=db|averylongnameo…,{cut}||created\n"
    whole = lamina("ps", "-a", "--no-trunc", "--format", "{{.Mounts}} {{.Command}}")
    assert whole == f"averylongnameofavolume,{tmp_path} \"sh -c 'sleep 100000'\"\n"
    assert " (virtual " in lamina("ps", "-a", "--format", "{{.Size}}")
    row = json.loads(lamina("ps", "-a", "--format", "json"))
    assert sorted(row) == [
        "Command", "CreatedAt", "ID", "Image", "Labels", "LocalVolumes", "Mounts", "Names",
        "Networks", "Ports", "RunningFor", "Size", "State", "Status",
    ]  # fmt: skip
    header = lamina("ps", "-a", "--format", 'table {{.Names}}\t{{.Label "tier"}}\t{{.Mounts}}')
    assert header.splitlines()[0].split() == ["NAMES", "tier", "MOUNTS"]
    assert "can't evaluate field Nope" in lamina.attempt("ps", "-a", "--format", "{{.Nope}}").err
    lamina("rm", "full")


def test_the_ways_to_write_it_are_one(lamina: Lamina):
    shown = lamina("ps", "-a")
    for words in (("container", "ls"), ("container", "list"), ("container", "ps")):
        assert lamina(*words, "-a") == shown
    wrong = lamina.attempt("container", "ls", "-n", "x")
    assert wrong.code == 125
    assert 'invalid argument "x" for "-n, --last" flag' in wrong.err
