"""docs/specs.md and the tests of the hub say the same."""

import re
from pathlib import Path

HUB = Path(__file__).resolve().parent.parent
TABLE = HUB.parent.parent / "docs" / "specs.md"


def names_in(folder: Path) -> list[str]:
    found = []
    for path in folder.rglob("test_*.py"):
        if path != Path(__file__):
            found += re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    return found


def test_each_test_the_table_names_exists_and_each_of_the_suite_is_named():
    named = set(re.findall(r"`(test_\w+)` \|$", TABLE.read_text(encoding="utf-8"), re.MULTILINE))
    existing = names_in(HUB)
    assert len(named) > 60
    assert sorted(named - set(existing)) == []
    assert sorted(set(names_in(HUB / "conformance")) - named) == []
    assert sorted(name for name in named if existing.count(name) > 1) == []


def test_every_row_of_the_table_names_a_test():
    rows = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if line[:2] == "| "]
    without = [row for row in rows if "`test_" not in row]
    assert {row.partition("|")[2].strip().partition(" ")[0] for row in without} == {
        "level", "---", "section",
    }  # fmt: skip
