"""`lamina version` tells versions, and a template that scripts use works."""

import json

from tests.consoles import Console

from lamina import __version__


def test_versions_are_listed_and_found_by_templates():
    text = Console()("version")
    assert text.startswith(f"Lamina:\n Version:          {__version__}\n")
    assert Console()("version", "--format", "{{.Server.Version}}") == f"{__version__}\n"
    assert json.loads(Console()("version", "-f", "json"))["Client"]["Os"] == "linux"
    assert json.loads(Console()("version", "--json"))["Version"] == __version__


def test_a_word_too_many_is_refused():
    assert (
        Console()
        .run("version", "x")
        .err.startswith("lamina: 'lamina version' accepts no arguments\n")
    )
