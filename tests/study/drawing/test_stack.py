"""The stack as SVG: heights by sizes, shading by waste."""

from xml.etree import ElementTree as ET

from lamina.study.drawing.stack import Floor, stack

SPACE = "{http://www.w3.org/2000/svg}"
FLOORS = (
    Floor(1, "ADD file", 750, 75, "#layer-1"),
    Floor(2, "RUN <make>", 250),
    Floor(3, "", 0),
)


def segments(drawn: str) -> list[ET.Element]:
    root = ET.fromstring(drawn)
    return [rect for rect in root.iter(f"{SPACE}rect") if rect.get("class") is None]


def words(drawn: str) -> list[str]:
    return [text.text or "" for text in ET.fromstring(drawn).iter(f"{SPACE}text")]


def test_heights_are_the_shares_of_the_layers_the_topmost_first():
    heights = [float(rect.get("height", "")) for rect in segments(stack(FLOORS))]
    free = 240 - 3 * 3
    expected = [2, 2 + free * 0.25, 2 + free * 0.75]
    assert all(abs(one - two) < 0.06 for one, two in zip(heights, expected, strict=True))
    tops = [float(rect.get("y", "")) for rect in segments(stack(FLOORS))]
    assert tops == sorted(tops)


def test_each_layer_is_told_with_its_number_instruction_size_and_waste():
    drawn = stack(FLOORS)
    assert words(drawn) == [
        "3", "(made without an instruction)", "0B", "0% of the image",
        "2", "RUN <make>", "250B", "25% of the image",
        "1", "ADD file", "750B", "75% of the image", "75B wasted",
    ]  # fmt: skip
    root = ET.fromstring(drawn)
    assert root.get("aria-label") == "3 layers with 1kB, 75B of it wasted"
    assert [one.get("href") for one in root.iter(f"{SPACE}a")] == ["#layer-1"]
    (shaded,) = [rect for rect in root.iter(f"{SPACE}rect") if rect.get("class") == "waste"]
    assert shaded.get("width") == "12"  # a tenth of the bar


def test_many_layers_take_a_line_each_and_a_narrow_picture_keeps_its_letters():
    many = stack([Floor(number, f"RUN {number}", number) for number in range(1, 128)])
    assert len(segments(many)) == 127
    assert len(words(many)) == 3 * 127
    narrow = ET.fromstring(stack([Floor(1, "RUN " + "x" * 200, 5)], width=340))
    assert narrow.get("viewBox", "").startswith("0 0 340 ")
    title = [text.text or "" for text in narrow.iter(f"{SPACE}text")][1]
    assert title.endswith("…")
    assert len(title) < 40


def test_no_layers_at_all_are_an_empty_picture():
    assert segments(stack(())) == []
    assert ET.fromstring(stack(())).get("aria-label") == "0 layers with 0B"


def test_the_same_layers_give_the_same_picture():
    assert stack(FLOORS) == stack(FLOORS)
