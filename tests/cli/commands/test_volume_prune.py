"""`lamina volume prune` asks, and takes named volumes with `--all` alone."""

from tests.commands import Lamina


def test_named_volumes_go_with_all_and_the_question_says_which(lamina: Lamina):
    lamina("volume", "create", "--label=keep", "one")
    lamina("volume", "create", "two")
    asked = lamina("volume", "prune", stdin="n\n")
    assert asked.startswith(
        "WARNING! This will remove anonymous local volumes not used by at least one container."
    )
    lamina("volume", "prune", "-f", "--filter=all=true", "--filter=label!=keep")
    assert lamina("volume", "ls", "-q") == "one\n"
    assert lamina("volume", "prune", "-af").startswith("Deleted Volumes:\none\n\nTotal reclaimed")
