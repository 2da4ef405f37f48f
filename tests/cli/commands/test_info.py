"""`lamina info` says which parts serve here."""

import json

from tests.consoles import Console


def test_lines_templates_and_json_tell_the_same(shelf: Console):
    text = shelf("info")
    assert "\nImages: 2\n" in text
    assert shelf("info", "-f", "{{.Images}} {{.OSType}}") == "2 linux\n"
    assert json.loads(shelf("info", "--json"))["Images"] == 2
    driver = json.loads(shelf("system", "info", "--format", "json"))["Driver"]
    assert f"\nStorage Driver: {driver}\n" in text
