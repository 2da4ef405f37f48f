"""An image in a few lines of HTML."""

from xml.etree import ElementTree as ET

from lamina.study.drawing.card import card
from lamina.study.drawing.stack import Floor

SPACE = "{http://www.w3.org/2000/svg}"


def test_a_card_has_name_figures_and_stack():
    floors = (Floor(1, "ADD <file>", 750, 250), Floor(2, "RUN", 250))
    root = ET.fromstring(card("a<b>", floors, notes=["linux/amd64"], hidden=250))
    assert "".join(root[0].itertext()) == (
        "a<b> · linux/amd64 · 1kB in 2 layers · efficiency 0.750 · 250B hidden by later layers"
    )
    assert len(list(root.iter(f"{SPACE}rect"))) == 3
    assert not list(root.iter(f"{SPACE}a"))


def test_what_nobody_looked_for_is_not_told_and_many_layers_are_cut():
    root = ET.fromstring(card("x", [Floor(number, "", 1) for number in range(1, 101)]))
    assert "".join(root[0].itertext()) == "x · 100B in 100 layers"
    assert "".join(root[-1].itertext()) == "and 40 layers below"
    assert len(list(root.iter(f"{SPACE}rect"))) == 60
    assert "".join(ET.fromstring(card("x", (), hidden=0)).itertext()) == "x · 0B in 0 layers"
