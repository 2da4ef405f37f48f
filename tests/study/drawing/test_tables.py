"""Tables, folds and facts are whole elements, and what is too long is cut."""

from xml.etree import ElementTree as ET

from lamina.study.drawing.tables import Column, chips, facts, folded, section, shortened, table


def test_a_table_has_its_title_classes_and_escaped_cells():
    root = ET.fromstring(
        table("All", [Column("A", "num"), Column("B")], [("1", "<b>")], kinds=["empty"])
    )
    assert (root.get("aria-label"), root.get("tabindex")) == ("All", "0")
    assert [(one.text, one.get("class"), one.get("scope")) for one in root.iter("th")] == [
        ("A", "num", "col"),
        ("B", None, "col"),
    ]
    assert [(one.text, one.get("class")) for one in root.iter("td")] == [
        ("1", "num"),
        ("<b>", None),
    ]
    assert root.find(".//tbody/tr[@class='empty']") is not None


def test_a_fold_opens_by_its_line_and_by_links():
    root = ET.fromstring(folded("Said", "inside", name="there", note="5B", is_open=True))
    assert [one.text for one in root.iter() if one.text] == ["Said", "5B", "inside"]
    inside = root.find("div[@id='there']")
    assert inside is not None
    assert root.get("open") == ""
    assert ET.fromstring(folded("Said", "inside")).get("open") is None


def test_sections_facts_and_chips():
    root = ET.fromstring(section("a", "A & B", facts([("Name", "<x>")]), chips(["one"])))
    assert root.get("id") == "a"
    assert [one.text for one in root.iter() if one.text] == ["A & B", "Name", "<x>", "one"]
    assert chips([]) == ""


def test_a_long_text_says_how_much_is_left_out():
    assert shortened("abc", 3) == "abc"
    assert shortened("a" * 1234 + "b" * 2000, 1234) == "a" * 1234 + "… (2,000 more letters)"
