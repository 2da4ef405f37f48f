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


def test_dangling_false_is_dockers_other_word_for_all(lamina: Lamina):
    lamina("load", stdin=archive("a:1"))
    lamina("image", "prune", "-f", "--filter", "dangling=true")
    assert lamina("images", "-q").strip()
    assert "untagged: a:1\n" in lamina("image", "prune", "-f", "--filter", "dangling=false")


def listed(lamina: Lamina) -> list[str]:
    return sorted(lamina("images", "--format", "{{.Repository}}").split())


def test_filters_spare_the_young_and_those_with_or_without_a_label(lamina: Lamina):
    for name, made, labels in (
        ("old", "2024-01-02T03:04:07Z", {"tier": "db"}),
        ("plain", "2024-01-02T03:04:08Z", {}),
        ("young", "2126-01-01T00:00:00Z", {"tier": "web"}),
    ):
        lamina("load", stdin=archive(f"{name}:1", labels=labels, created=made))
    prune = ("image", "prune", "-a", "-f", "--filter")
    lamina(*prune, "label=tier=web", "--filter", "until=24h")
    lamina(*prune, "label=nosuch")
    assert listed(lamina) == ["old", "plain", "young"]
    lamina(*prune, "label!=tier", "--filter", "until=2026-01-01")
    assert listed(lamina) == ["old", "young"]
    lamina("system", "prune", "-a", "-f", "--filter", "label=tier", "--filter", "label!=tier=web")
    assert listed(lamina) == ["young"]
    lamina("undo")
    assert listed(lamina) == ["old", "young"]
    wrong = lamina.attempt(*prune, "dangling=maybe")
    assert wrong.err.startswith("lamina: invalid filter 'dangling=maybe'")
    assert wrong.code == 1
