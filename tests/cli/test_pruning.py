"""Questions before things go, and reports after."""

from tests.consoles import Console, text_of

from lamina.cli.flags import parse
from lamina.cli.pruning import FORCE, agreed, tell_images, tell_space
from lamina.engine.local import Removed


def test_force_asks_nothing():
    context = Console().context()
    assert agreed(context, parse((FORCE,), ["-f"]), "Careful.")
    assert text_of(context) == ""
    assert not agreed(context, parse((FORCE,), []), "Careful.")


def test_what_went_is_listed_in_dockers_words():
    context = Console().context()
    tell_images(context, [])
    tell_images(context, [Removed(untagged="a:1"), Removed(deleted="sha256:1")])
    tell_space(context, 12_130_000)
    assert text_of(context) == (
        "Deleted Images:\nuntagged: a:1\ndeleted: sha256:1\n\nTotal reclaimed space: 12.13MB\n"
    )
