"""`lamina system prune` asks, then removes what nothing needs."""

from pathlib import Path

from tests.archives import archive
from tests.commands import Lamina


def test_what_will_go_is_listed_before_the_question(lamina: Lamina):
    text = lamina("system", "prune", stdin="n\n")
    assert text == (
        "WARNING! This will remove:\n  - all stopped containers\n"
        "  - all networks not used by at least one container\n  - all dangling images\n"
        "  - what interrupted downloads left behind\n\n"
        "Are you sure you want to continue? [y/N] "
    )


def test_networks_that_no_container_was_made_for_go_too(lamina: Lamina):
    lamina("network", "create", "lonely")
    assert "Deleted Networks:\nlonely\n\n" in lamina("system", "prune", "--force")
    assert lamina("network", "ls", "-q", "-f", "type=custom") == ""


def test_images_go_with_all_and_the_space_is_told(lamina: Lamina):
    lamina("load", stdin=archive("a:1"))
    text = lamina("system", "prune", "--all", "--force")
    assert "untagged: a:1\n" in text
    assert text.splitlines()[-1].startswith("Total reclaimed space: ")
    assert lamina("images", "-q") == ""


def test_what_an_interrupted_download_left_goes_too(lamina: Lamina):
    lamina("load", stdin=archive("a:1"))
    partial = Path(lamina.settings.root, "uploads", "sha256-" + "0" * 64)
    partial.write_bytes(b"x" * 5000)
    assert "Total reclaimed space: 5kB\n" in lamina("system", "prune", "--force")
    assert not partial.exists()
    assert lamina("images", "-q") != ""


def test_anonymous_volumes_go_where_that_is_asked_for(lamina: Lamina):
    lamina("volume", "create", "named")
    anonymous = lamina("volume", "create").strip()
    assert anonymous not in lamina("system", "prune", "--force")
    assert "  - all anonymous volumes not used by" in lamina(
        "system", "prune", "--volumes", stdin="n\n"
    )
    text = lamina("system", "prune", "--volumes", "--force")
    assert f"Deleted Volumes:\n{anonymous}\n\n" in text
    assert lamina("volume", "ls", "-q") == "named\n"
    said = lamina.attempt("system", "prune", "--volumes", "--force", "--filter", "until=1h")
    assert said.code == 1
    assert 'The "until" filter is not supported with "--volumes"' in said.err
