"""The page's part about waste."""

from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from tests.layer.test_view import ROOT, file, folder
from tests.study.explored import explored

from lamina.study.drawing.waste_part import seen_bar, waste_part

if TYPE_CHECKING:
    from tests.study.piles import Items

SPACE = "{http://www.w3.org/2000/svg}"


def texts(markup: str) -> list[str]:
    return [one.text for one in ET.fromstring(f"<div>{markup}</div>").iter() if one.text]


def test_what_is_wasted_is_told_by_group_with_what_gains_it(tmp_path: Path):
    low: Items = [
        ROOT,
        folder(b"a"),
        file(b"a/one", b"1" * 300),
        file(b"a/two", b"2" * 500),
        file(b"b", b"3" * 200),
    ]
    found = explored(
        tmp_path, low, [ROOT, file(b".wh.a"), file(b"b", b"4" * 200)], steps=("ADD it", "RUN rm")
    )
    told = texts(waste_part(found))
    assert told[0] == (
        "Of 1.2kB in the layers a container sees 200B: 1kB, 83%, are hidden by later layers."
    )
    assert told[1:8] == [
        "What gains it",
        "800B", "remove them in the step that brings them, layer 1 (ADD it): layer 2 (RUN rm) only hides them",
        "200B", "write them once, in one step or in a stage before: layer 2 (RUN rm) replaces what layer 1 (ADD it) brought",
        "Where it is", "Bytes",
    ]  # fmt: skip
    assert told[-12:] == [
        "800B", "2", "deleted later", "1", "2", "/a",
        "200B", "1", "overwritten", "1", "2", "/b",
    ]  # fmt: skip


def test_what_does_not_fit_is_summed(tmp_path: Path):
    low: Items = [ROOT]
    high: Items = [ROOT]
    for number in range(50):
        path = b"%02d" % number
        low = [*low, folder(path), file(path + b"/x", b"x" * 10)]
        high = [*high, file(b".wh." + path)]
    told = texts(waste_part(explored(tmp_path, low, high)))
    assert told[-1] == "and 10 more groups with 100B"


def test_the_bar_has_what_is_seen_and_the_shaded_rest():
    seen, wasted = list(ET.fromstring(seen_bar(3, 4, width=402)).iter(f"{SPACE}rect"))
    assert (seen.get("width"), wasted.get("x"), wasted.get("width")) == ("300", "301", "100")
    assert len(list(ET.fromstring(seen_bar(4, 4)).iter(f"{SPACE}rect"))) == 1
    assert ET.fromstring(seen_bar(0, 0)).get("aria-label") == "100% of the bytes are seen"
