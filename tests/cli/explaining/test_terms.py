"""The words of the stories are the glossary's."""

import re
from pathlib import Path

from lamina.cli.explaining.terms import TERMS, mentioned

GLOSSARY = Path(__file__).resolve().parents[3] / "docs" / "glossary.md"


def glossary() -> dict[str, str]:
    """Each term with its meaning; of a row that has several, each with its own."""
    found: dict[str, str] = {}
    for line in GLOSSARY.read_text(encoding="utf-8").splitlines():
        row = [cell.strip() for cell in line.strip("|").split(" | ")]
        if len(row) < 3 or row[0] in ("term", "---"):
            continue
        names, meanings = row[0].split(" · "), row[1].replace("*", "").split(" · ")
        if len(names) == len(meanings):
            found |= dict(zip(names, meanings, strict=True))
        else:
            found[row[0]] = row[1].replace("*", "")
    return found


def test_each_meaning_is_word_for_word_the_glossarys():
    known = glossary()
    assert len(known) > 60
    assert {term: known.get(term) for term in TERMS} == TERMS


def test_terms_are_found_once_each_longest_first_and_in_their_order():
    text = "Two layers, the layer digest of one, an opaque whiteout; Tags in repositories."
    found = list(mentioned(text))
    assert found == ["layer", "layer digest", "opaque whiteout", "tag", "repository"]


def test_parts_of_other_words_of_paths_and_of_files_are_no_terms():
    text = (
        "index.json, blobs/sha256, config-file, rootfs.diff_ids, mytag, stagger, /v2/token, a:tag"
    )
    assert list(mentioned(text)) == []
    assert list(mentioned("a sealed layer: the tag, or an index.")) == [
        "sealed layer",
        "tag",
        "index",
    ]


def test_no_meaning_has_a_line_break_or_a_link():
    assert not [word for word, meaning in TERMS.items() if re.search(r"\n|\]\(", meaning)]
