"""`lamina image prune` asks first."""

from tests.archives import archive
from tests.commands import Lamina


def test_no_is_the_answer_unless_yes_is_typed(lamina: Lamina):
    lamina("load", stdin=archive())
    question = (
        "WARNING! This will remove all dangling images.\nAre you sure you want to continue? [y/N] "
    )
    assert lamina("image", "prune", stdin="n\n") == question
    assert lamina("image", "prune") == question
    assert lamina("images", "-q").strip()
    text = lamina("image", "prune", stdin="y\n")
    assert text.startswith(question + "Deleted Images:\ndeleted: sha256:")
    assert "\n\nTotal reclaimed space: " in text
    assert lamina("images", "-q") == ""


def test_force_does_not_ask_and_named_images_stay_without_all(lamina: Lamina):
    lamina("load", stdin=archive("a:1"))
    assert lamina("image", "prune", "-f").startswith("Total reclaimed space: ")
    assert lamina("images", "-q").strip()
    assert "untagged: a:1\n" in lamina("image", "prune", "-a", "-f")
    assert lamina("images", "-q") == ""
