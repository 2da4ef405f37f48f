"""What layers did to a directory, and what later ones hide of it."""

from lamina.cli.explorer.comparison import Comparison, Mark, Trees
from lamina.cli.explorer.session import tree_at
from lamina.engine.partial_study import PartialStudy


def comparison(opened: PartialStudy, since: int, height: int) -> Comparison:
    study = opened.study
    trees = Trees(study.layers, lambda number: tree_at(study, number))
    return Comparison(trees, since=since, height=height)


def marks(compared: Comparison, folder: bytes = b"") -> dict[bytes, str]:
    return {
        item.name: item.mark.value + (" hidden" if item.hidden else "")
        for item in compared.items(folder)
    }


def test_a_layer_alone_adds_changes_repeats_and_removes(opened: PartialStudy):
    compared = comparison(opened, 2, 2)
    assert marks(compared) == {
        b"a": "unchanged hidden", b"etc": "unchanged", b"later": "added hidden", b"odd": "unchanged",
    }  # fmt: skip
    assert marks(compared, b"etc") == {
        b"conf": "changed", b"id_rsa": "removed", b"kept": "unchanged", b"same": "repeated",
    }  # fmt: skip


def test_a_directory_is_touched_where_something_below_it_is_not_as_it_was(opened: PartialStudy):
    found = {item.name: item.touched for item in comparison(opened, 2, 2).items(b"")}
    assert found == {b"a": True, b"etc": True, b"later": True, b"odd": False}


def test_the_first_layer_adds_all_and_tells_what_later_ones_hide(opened: PartialStudy):
    compared = comparison(opened, 1, 1)
    assert set(marks(compared, b"etc").items()) == {
        (b"conf", "added hidden"), (b"id_rsa", "added hidden"), (b"kept", "added"), (b"same", "added hidden"),
    }  # fmt: skip
    assert marks(compared, b"a") == {b"one": "added hidden", b"two": "added hidden"}


def test_several_layers_together_are_compared_with_what_was_below_all(opened: PartialStudy):
    compared = comparison(opened, 2, 3)
    assert marks(compared) == {
        b"a": "removed", b"etc": "unchanged", b"later": "added", b"new": "added", b"odd": "unchanged",
    }  # fmt: skip
    assert marks(compared, b"a") == {b"one": "removed", b"two": "removed"}


def test_one_path_is_told_as_in_its_directory(opened: PartialStudy):
    compared = comparison(opened, 2, 2)
    found = compared.item(b"etc/id_rsa")
    assert found is not None
    assert found.mark is Mark.REMOVED
    assert compared.item(b"etc/nothing") is None


def test_what_is_looked_for_below_is_found_without_reading_what_nothing_touched(
    opened: PartialStudy,
):
    compared = comparison(opened, 2, 2)
    items = {item.name: item for item in compared.items(b"")}
    assert compared.has(items[b"etc"], lambda item: item.mark is Mark.REMOVED, hidden=False)
    assert not compared.has(items[b"odd"], lambda item: item.name == b"needle.txt", hidden=False)
    assert compared.has(items[b"a"], lambda item: item.hidden, hidden=True)


def test_an_image_without_layers_has_nothing_to_compare():
    trees = Trees((), lambda _: (_ for _ in ()).throw(AssertionError))
    assert Comparison(trees, since=1, height=0).items(b"") == []
