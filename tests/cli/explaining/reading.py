"""Read what a story says: its steps, and the commands by which it can be checked."""

import os
import re
import subprocess
from collections.abc import Iterator

__all__ = ["check_all", "commands", "mentions", "steps"]


def steps(text: str) -> list[str]:
    """Give the titles, in order."""
    return re.findall(r"^\d+  (.+)$", text, re.MULTILINE)


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Give each command of a story with the lines that it is said to print."""
    lines = text.splitlines()
    for at, line in enumerate(lines):
        if line.startswith("     $ "):
            said = []
            for after in lines[at + 1 :]:
                if not after.startswith("     ") or after.startswith("     $ "):
                    break
                said.append(after[5:])
            yield line[7:], "\n".join(said)


def check_all(text: str, *, environ: dict[str, str] | None = None, login: str = "") -> int:
    """Type all commands of the last step into one shell; each prints what was said. Give how many did."""
    rows = [row for row in commands(text) if not row[0].startswith("lamina ")]
    script = "set -o pipefail\n"
    name = login.partition(":")[0]
    for shown, _ in rows:
        words = shown.replace(f"-u {name} ", f"-u {login} ") if login else shown
        script += f"{words} || echo FAILED\necho ---\n"
    done = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **(environ or {})},
    )
    printed = [part.strip("\n") for part in done.stdout.split("---\n")]
    assert printed[: len(rows)] == [said for _, said in rows], done.stderr
    return sum(bool(said) for _, said in rows)


def mentions(text: str, value: str) -> bool:
    """Tell whether a story says `value`, wherever its lines were broken."""
    return re.sub(r"\s", "", value) in re.sub(r"\s", "", text)
