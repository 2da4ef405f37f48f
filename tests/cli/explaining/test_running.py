"""`lamina explain run` is run, with a story before and after."""

import os
import re
from collections.abc import Iterator

import pexpect
import pytest
from tests.archives import archive
from tests.cli.explaining.reading import commands, mentions, steps
from tests.commands import Lamina, ended
from tests.containers import RUNTIMES, eventually, world
from tests.images import tiny
from tests.servers import RegistryServer


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lamina]:
    with world(tmp_path_factory.mktemp("run")) as lamina:
        yield lamina


def test_the_output_is_the_commands_alone_and_so_is_the_code(here: Lamina):
    words = ("sh", "-c", "echo out; echo err >&2; echo x > /made; rm /bin/ls; exit 7")
    outcome = here.attempt("explain", "--width", "90", "run", "--name", "coded", "tiny", *words)
    assert (outcome.code, outcome.out) == (7, "out\n")
    before, line, after = outcome.err.partition("\n─── what it writes comes from here on ───\n")
    assert line
    assert after.startswith("err\n")
    assert steps(before)[:4] == ["The image", "The container", "The union", "The first process"]
    assert mentions(after, "ended with code 7")
    [shown] = [said for words, said in commands(after) if words == "lamina diff coded"]
    assert shown == here("diff", "coded").rstrip()


@pytest.mark.root
def test_the_union_the_process_and_what_holds_it_are_those_that_the_container_itself_sees(
    here: Lamina,
):
    look = (
        "cat /proc/1/mountinfo; for n in pid mnt net uts ipc; do readlink /proc/1/ns/$n; done; "
        "cat /proc/1/cgroup; hostname -i"
    )
    outcome = here.attempt(
        "explain",
        "run",
        "--memory",
        "64m",
        "-v",
        "kept:/data",
        "-e",
        "SECRET=hidden",
        "--name",
        "seen",
        "tiny",
        "sh",
        "-c",
        look,
    )
    assert outcome.code == 0, outcome
    told = outcome.err
    root = next(line for line in outcome.lines if line.split()[4] == "/")
    assert mentions(told, root)
    lower = re.search(r"lowerdir=([^,]+)", root)
    assert lower
    assert mentions(told, f"lowerdir {lower[1]}")
    for number in re.findall(r"^\w+:\[(\d+)\]$", outcome.out, re.MULTILINE):
        assert re.search(rf"  {number}  its own ", told), (number, told)
    assert "number inside   1" in told
    assert "SECRET" in told
    assert "hidden" not in told.replace("     hidden  ", "")
    assert "memory 64MiB" in told
    assert mentions(told, f"/data ← {here.settings.root}/volumes/kept/_data")
    assert "/sys/fs/cgroup/" not in told.partition("4  The first process")[0]
    assert re.search(r"address   172\.\d+\.\d+\.\d+", told)
    record = here("inspect", "--format", "{{.Id}} {{.Image}}", "seen").split()
    assert mentions(told, f"/lamina/{record[0]}")
    assert record[1][:19] in told


def test_a_container_that_is_removed_and_one_that_runs_on_are_told_so(here: Lamina):
    gone = here.attempt("explain", "--brief", "run", "--rm", "--network", "none", "tiny", "true")
    assert gone.code == 0, gone
    assert "none but its own loopback" in gone.err
    assert mentions(gone.err, "ended with code 0")
    outcome = here.attempt("explain", "run", "-d", "--name", "stays", "tiny", "sleep", "1000")
    assert outcome.code == 0, outcome
    assert outcome.out.strip() == here("inspect", "--format", "{{.Id}}", "stays").strip()
    assert steps(outcome.err)[-1] == "It runs on"
    assert "lamina stop stays" in outcome.err
    here("rm", "-f", "stays")


def test_a_program_that_is_not_there_is_told_with_dockers_code(here: Lamina):
    outcome = here.attempt("explain", "run", "--name", "lost", "tiny", "/nosuch")
    assert outcome.code == 127
    assert mentions(outcome.err, "127 means that there is none of that name inside")
    assert steps(outcome.err)[:3] == ["The image", "The container", "The union"]


def test_a_session_on_a_terminal_has_its_story_around_it(here: Lamina):
    program, *words = here.argv("explain", "--pause", "run", "-it", "--name", "typed", "tiny", "sh")
    child = pexpect.spawn(
        program, words, env={**here.environ, "TERM": "xterm"}, encoding="utf-8", timeout=60,
        dimensions=(40, 72),
    )  # fmt: skip
    child.expect("1  The image")
    child.expect("Enter: next step")
    child.send("\n")
    child.expect("2  The container")
    child.expect("no more pauses -- ")
    child.send("q\n")
    child.expect("what it writes comes from here on")
    assert "Enter:" not in child.before
    widths = [len(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in child.before.split("\r\n")]
    assert max(widths) <= 72
    child.expect("# ")
    child.sendline("stty size; exit 5")
    child.expect("40 72")
    child.expect("The end")
    child.expect("ended with code 5")
    assert ended(child) == 5


def test_an_image_that_is_not_here_is_pulled_in_the_same_story(
    here: Lamina, registry: RegistryServer
):
    name = f"{registry.address}/fetched:1"
    here("import", "-", name, stdin=tiny())
    here("push", "-q", name)
    here("rmi", "--now", name)
    outcome = here.attempt("explain", "run", "--rm", "--network", "none", name, "echo", "hi")
    assert (outcome.code, outcome.out) == (0, "hi\n")
    told = steps(outcome.err)
    assert told.index("The image") < told.index("The layers") < told.index("The container")
    numbers = [int(each) for each in re.findall(r"^(\d+)  \S", outcome.err, re.MULTILINE)]
    assert numbers == list(range(1, len(told) + 1))


def test_a_layers_file_names_cannot_write_to_the_terminal(here: Lamina):
    here("load", stdin=archive("evil:1"))
    outcome = here.attempt("explain", "run", "evil:1", "\x1b[31mred")
    assert outcome.code == 127
    assert "\x1b" not in outcome.err
    assert os.environ.get("NO_COLOR") is None
    assert eventually(lambda: "red" in outcome.err)


@pytest.mark.root
def test_what_is_shared_and_what_holds_nothing_is_told_as_it_is(here: Lamina):
    words = ("--network", "host", "--pid", "host", "--privileged")
    told = here.attempt("explain", "run", "--rm", *words, "tiny", "true").err
    for kind, meaning in (
        ("pid", "all processes of this machine"),
        ("net", "this machine's interfaces"),
    ):
        number = re.sub(r"\D", "", os.readlink(f"/proc/self/ns/{kind}"))
        assert re.search(
            rf"^     {kind} +{number}  shared   it (sees|has) {meaning}", told, re.MULTILINE
        )
    assert "number inside" not in told
    assert "all: there is no filter" in told
    assert "It is privileged" in told
    assert "--network host." in told


@pytest.mark.root
@pytest.mark.parametrize("runtime", [name for name in RUNTIMES if name == "bwrap"])
def test_bubblewrap_is_told_as_what_it_is(here: Lamina, runtime: str):
    words = ("run", "-d", "--name", "wrapped", "tiny", "sleep", "1000")
    told = here.attempt("explain", *words, LAMINA_RUNTIME=runtime).err
    here("rm", "-f", "wrapped")
    assert mentions(told, "says all of what follows to bubblewrap")
    assert "config.json" not in told.partition("4  The first process")[2]
    assert re.search(r"mnt +\d+  its own", told)
