"""The page of complaints names tests that exist, for each of the fifteen."""

import re
from pathlib import Path

import pytest

HUB = Path(__file__).parent
PAGE = HUB.parent.parent / "docs" / "hub" / "complaints.md"
SECTIONS = re.findall(
    r"^## (\d+)\. (.+?)\n(.*?)(?=^## )", PAGE.read_text(), re.MULTILINE | re.DOTALL
)


def test_all_fifteen_are_answered():
    assert [int(number) for number, _, _ in SECTIONS] == list(range(1, 16))


@pytest.mark.parametrize(("number", "title", "text"), SECTIONS, ids=[each[0] for each in SECTIONS])
def test_what_is_said_of_each_is_tested(number, title, text):
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", text)
    assert named, f"{number}. {title}"
    for path, test in named:
        assert f"def {test}(" in (HUB / path).read_text(), f"{path}::{test}"
