"""Where bytes are: rectangles by size, that fill their room and do not overlap."""

from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from lamina.study.drawing.treemap import Box, squarified, treemap
from lamina.study.parts import Part, Parting

SPACE = "{http://www.w3.org/2000/svg}"


def root_of(files: dict[bytes, int], wasted: frozenset[bytes] = frozenset()) -> Part:
    parting = Parting(sum(files.values()))
    for path, size in sorted(files.items()):
        parting.file(path, size)
        if path in wasted:
            parting.wasted(path, size)
    return parting.whole()


def titles(drawn: str) -> list[str]:
    return [one.text or "" for one in ET.fromstring(drawn).iter(f"{SPACE}title")]


@given(
    st.lists(st.integers(1, 10**9), min_size=1, max_size=40),
    st.floats(1, 2000),
    st.floats(1, 2000),
)
def test_rectangles_have_their_shares_and_lie_beside_each_other(
    sizes: list[int], width: float, height: float
):
    box = Box(3, 5, width, height)
    sizes.sort(reverse=True)
    found = squarified(sizes, box)
    assert len(found) == len(sizes)
    for size, one in zip(sizes, found, strict=True):
        share = box.area * size / sum(sizes)
        assert abs(one.area - share) <= 1e-6 * box.area
        assert one.x >= 3 - 1e-6
        assert one.y >= 5 - 1e-6
        assert one.x + one.width <= 3 + width * (1 + 1e-6)
        assert one.y + one.height <= 5 + height * (1 + 1e-6)
    for at, one in enumerate(found):
        for other in found[:at]:
            wide = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
            high = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
            assert min(wide, high) <= 1e-6 * max(width, height)


def test_they_are_as_square_as_in_the_paper():
    found = squarified([6, 6, 4, 3, 2, 2, 1], Box(0, 0, 6, 4))
    assert [(round(one.width, 2), round(one.height, 2)) for one in found] == [
        (3, 2), (3, 2), (1.71, 2.33), (1.29, 2.33), (1.2, 1.67), (1.2, 1.67), (0.6, 1.67),
    ]  # fmt: skip


def test_directories_are_opened_and_small_files_told_together():
    files = {b"usr/lib/big": 600_000, b"usr/lib/other": 200_000, b"srv/<i>": 190_000}
    files |= {b"etc/%d" % number: 100 for number in range(100)}
    drawn = treemap(root_of(files, frozenset((b"srv/<i>",))))
    assert titles(drawn) == [
        "/usr/lib, 800kB in 2 files",
        "/srv, 190kB in 1 file, 190kB hidden by later layers",
        "/etc, 10kB in 100 files",
        "/usr/lib/big, 600kB",
        "/usr/lib/other, 200kB",
        "/srv/<i>, 190kB, 190kB hidden by later layers",
    ]
    rectangles = list(ET.fromstring(drawn).iter(f"{SPACE}rect"))
    assert len([one for one in rectangles if one.get("class") == "waste"]) == 2


def test_what_is_left_is_one_rectangle():
    files = {b"one": 10_000, b"two": 4} | {b"s%02d" % number: 3 for number in range(50)}
    assert titles(treemap(root_of(files))) == ["/one, 10kB", "51 small files in /, 154B"]


def test_as_much_is_drawn_as_was_asked_for_and_deep_trees_are_no_trouble():
    files = {b"d%02d/e%02d/f" % (one, two): 1000 for one in range(20) for two in range(20)}
    assert len(titles(treemap(root_of(files), most=30))) < 60
    deep = b"/".join(b"%d" % number for number in range(2000))
    assert len(titles(treemap(root_of({deep: 5, b"b/c": 4})))) == 4
    assert titles(treemap(root_of({}))) == []
