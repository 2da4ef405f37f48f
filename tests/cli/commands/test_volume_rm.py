"""`lamina volume rm` with force."""

from tests.commands import Lamina


def test_force_is_content_with_what_is_not_there(lamina: Lamina):
    assert lamina("volume", "rm", "-f", "none") == "none\n"
