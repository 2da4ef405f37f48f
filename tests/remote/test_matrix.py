"""The page that says what the client meets names tests that exist."""

import re
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
PAGE = TESTS.parent / "docs" / "registry-client.md"


def test_every_row_of_the_page_has_its_test():
    named = re.findall(r"`(test_\w+)` \|", PAGE.read_text())
    there = {
        name
        for path in TESTS.rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    assert len(named) > 50
    assert set(named) - there == set()
    assert len(named) == len(set(named))
