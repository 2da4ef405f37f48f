"""The documents hold together: links lead somewhere, words are the glossary's, commands exist."""

import re
from pathlib import Path

import pytest

from lamina.cli.catalogue import COMMANDS, GROUPS

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENTS = sorted(
    path
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "bench").rglob("*.md"),
                 *(ROOT / "examples").rglob("*.md")]
)  # fmt: skip
LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)")
COMMAND = re.compile(r"^(?:\$ )?lamina ((?:[a-z]+)(?: [a-z]+)?)", re.MULTILINE)


def names(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as common renderers make them."""
    found = set()
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            text = re.sub(r"[`*]", "", line.lstrip("#").strip()).lower()
            found.add(re.sub(r"[^\w\- ]", "", text).replace(" ", "-"))
    return found


@pytest.mark.parametrize("path", DOCUMENTS, ids=names)
def test_a_link_leads_somewhere(path: Path):
    for target in LINK.findall(path.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        place, _, anchor = target.partition("#")
        file = (path.parent / place).resolve() if place else path
        assert file.exists(), f"{names(path)} links to {target}"
        if anchor and file.suffix == ".md":
            assert anchor in anchors(file), f"{names(path)} links to {target}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=names)
def test_a_command_in_a_document_is_one_that_exists(path: Path):
    text = path.read_text(encoding="utf-8")
    for block in re.findall(r"^```(?:console|sh|text)?\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for words in COMMAND.findall(block):
            first = words.split()[0]
            known = first in COMMANDS or first in GROUPS
            assert known, f"{names(path)} shows `lamina {words}`"


def test_decisions_are_numbered_without_gaps_and_say_what_was_decided():
    files = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    numbers = [int(path.name[:4]) for path in files]
    assert numbers == list(range(1, len(numbers) + 1))
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert text.startswith("# "), names(path)
        assert "Decision" in text, names(path)


def test_the_glossary_defines_each_word_once():
    rows = re.findall(r"^\| ([^|]+?) \|", (ROOT / "docs/glossary.md").read_text(), re.MULTILINE)
    terms = [row for row in rows if row not in {"term", "---"}]
    assert len(terms) == len(set(terms))
    assert len(terms) > 25
