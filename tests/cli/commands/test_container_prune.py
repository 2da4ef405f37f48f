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


@pytest.mark.root
def test_filters_choose_containers_by_age_and_label(lamina: Lamina):
    lamina("import", "-", "tiny:1", stdin=tiny())
    lamina("create", "--name", "keep", "--label", "keep=1", "tiny:1", "x")
    lamina("create", "--name", "go", "tiny:1", "x")
    prune = ("container", "prune", "-f", "--filter")
    assert lamina(*prune, "until=24h") == "Total reclaimed space: 0B\n"
    lamina(*prune, "label!=keep")
    assert lamina("ps", "-a", "--format", "{{.Names}}") == "keep\n"
    lamina(*prune, "label=keep=1", "--filter", "until=2126-01-01")
    assert lamina("ps", "-a", "--format", "{{.Names}}") == ""
