"""What lower layers say of a layer's directories: the same answers, the same index."""

import tempfile
from contextlib import ExitStack
from pathlib import Path

from hypothesis import given
from tests.hub.exploring.images import file
from tests.layer.changesets import Piece, changesets
from tests.layer.test_view import stackable, whited
from tests.layer.trees import tar_of
from tests.study.piles import Items, pile

from lamina.hub.exploring.asking import Answers
from lamina.layer.below import stated
from lamina.layer.entry import Entry, Kind
from lamina.layer.seal import Sealer
from lamina.layer.sealed import SealedLayer
from lamina.layer.view import Tree
from lamina.spec.digest import Digest

LEANING = tar_of([file(b"a/b/c/file", b"1"), file(b"d/file", b"2"), file(b"plain", b"3")])
ASKS = [b"a", b"a/b", b"a/b/c", b"d"]


def seal(path: Path, below: list[SealedLayer]) -> tuple[bytes, list[bytes] | None]:
    """The sealed layer's bytes, and what it asked."""
    asked = []

    def parents() -> list[SealedLayer]:
        asked.append(sealer.unlisted())
        return below

    with Sealer(str(path)) as sealer:
        sealer.write(LEANING)
        sealer.finish(Digest.of(LEANING), parents)
    return path.read_bytes(), asked[0]


@given(changesets(), whited(), whited())
def test_what_is_stated_is_what_the_union_has(
    one: list[Piece], two: list[Piece], three: list[Piece]
) -> None:
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        layers = stack.enter_context(pile(Path(name), *map(stackable, (one, two, three))))
        tree = Tree.of(layers)
        paths = {path for layer in layers for path, _ in layer.walk() if path}
        for path in paths | {each + b"/not/there" for each in paths}:
            found = tree.pile_of_directory(path)
            node, names = stated(layers, path, most=999)
            assert 0 < names <= len(layers) * (path.count(b"/") + 1)
            assert (node is None) == (not found)
            if node is not None:
                assert (node.layer.path, node.nid) == (found[0].layer.path, found[0].nid)


def test_the_same_answers_give_the_same_index_and_others_another(tmp_path: Path) -> None:
    def listed(mode: int) -> Entry:
        return Entry(b"a", Kind.DIRECTORY, mode, 0, 0, 0, 0)

    stacks: list[list[Items]] = [
        [[file(b"x")]],
        [[file(b"y", b"yy"), file(b"a")]],  # no directory
        [[listed(0o700)], [file(b"a/x")]],
        [[listed(0o755)]],  # as a directory is that nobody lists
        [[listed(0o755)], [listed(0o700), file(b"z")]],
        [[listed(0o700)], [listed(0o711)]],
        [[listed(0o700)], [file(b".wh.a")]],
    ]
    found = []
    for number, items in enumerate(stacks):
        with pile(tmp_path / f"pile{number}", *items) as below:
            data, asked = seal(tmp_path / f"sealed{number}", below)
            assert asked == ASKS
            found.append((Answers().about(ASKS, below), data))
    for one in found:
        for two in found:
            assert (one[0] == two[0]) == (one[1] == two[1])
    assert len(set(found)) == 3


def test_what_would_take_the_hub_long_is_not_answered(tmp_path: Path) -> None:
    """Hundreds of layers that ask for thousands of directories, which none below has, took hours."""
    with pile(tmp_path, *[[file(b"x%d" % number)] for number in range(9)]) as below:
        answers = Answers(most=100)
        assert answers.about([b"a", b"b"], below) is not None
        assert answers.about([b"a%d" % number for number in range(50)], below) is None
        assert answers.about([b"a"], below) is None
        assert stated(below, b"nowhere", most=3) == (None, 3)


def test_links_that_wait_ask_for_more_than_attributes(tmp_path: Path) -> None:
    linked = tar_of([file(b"a/x"), Entry(b"a/y", Kind.HARDLINK, link=b"low")])
    asked = []

    with pile(tmp_path / "low", [file(b"low", b"1")]) as below:

        def parents() -> list[SealedLayer]:
            asked.append(sealer.unlisted())
            return below

        with Sealer(str(tmp_path / "sealed")) as sealer:
            sealer.write(linked)
            result = sealer.finish(Digest.of(linked), parents)
        assert asked == [None]
        assert (result.copied_from, result.copied) == ((below[0].path,), 1)
