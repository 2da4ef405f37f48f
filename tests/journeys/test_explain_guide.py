"""docs/guides/explain.md is a lesson: its commands are run in order, and print what it shows."""

import re
import shlex
from pathlib import Path

from tests.commands import Lamina
from tests.images import tiny
from tests.servers import HubServer

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "explain.md"
PASSWORD = "correct-horse-7"


def lessons() -> list[tuple[list[str], list[str]]]:
    """Each command of the guide with the lines that it shows of what comes."""
    blocks = re.findall(
        r"^```console\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    rows = [block.splitlines() for block in blocks]
    return [(shlex.split(first.removeprefix("$ lamina ")), shown) for first, *shown in rows]


def test_the_lesson_runs_and_shows_what_it_promises(lamina: Lamina, hub: HubServer):
    hub.register("alice", PASSWORD)
    lamina("login", "-u", "alice", "--password-stdin", hub.address, stdin=PASSWORD)
    lamina("import", "-c", 'CMD ["sh"]', "-", f"{hub.address}/alice/base:1", stdin=tiny())
    lamina("push", "-q", f"{hub.address}/alice/base:1")
    lamina("rmi", "--now", f"{hub.address}/alice/base:1")
    told = lessons()
    assert [words[1] for words, _ in told][::2] == ["pull", "run", "push"]
    for words, shown in told:
        here = [word.replace("127.0.0.1:5000", hub.address) for word in words]
        said = lamina.attempt(*here)
        assert said.code == 0, said
        lines = iter((said.err + said.out).splitlines())
        if words[1] == "run":  # on a terminal both are one
            before, line, after = said.err.partition("from here on ───\n")
            lines = iter((before + line + said.out + after).splitlines())
        for promised in shown:
            text = promised.replace("127.0.0.1:5000", hub.address)
            pattern = ".*".join(map(re.escape, text.split("…")))
            loose = re.sub(r"(\\ ){2,}", r" +", pattern)
            assert any(re.fullmatch(loose + ".*", line) for line in lines), (promised, said)
