"""`lamina container prune` asks, then removes what does not run."""

import pytest
from tests.commands import Lamina
from tests.images import tiny


def test_nothing_to_remove_frees_nothing(lamina: Lamina):
    assert lamina("container", "prune", "-f") == "Total reclaimed space: 0B\n"
    assert lamina("container", "prune", stdin="no\n") == (
        "WARNING! This will remove all stopped containers.\n"
        "Are you sure you want to continue? [y/N] "
    )


@pytest.mark.root
def test_stopped_containers_go_and_their_ids_are_told(lamina: Lamina):
    lamina("import", "-", "tiny:1", stdin=tiny())
    lamina("run", "--name", "c1", "tiny:1", "/bin/true")
    whole = lamina("ps", "-aq", "--no-trunc").strip()
    text = lamina("container", "prune", "--force")
    assert text.startswith(f"Deleted Containers:\n{whole}\n\nTotal reclaimed space: ")
    assert lamina("ps", "-aq") == ""
