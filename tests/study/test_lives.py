"""Lives of paths: the union of every height tells what was seen when, and the story has to say the same."""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given
from tests.layer.changesets import Piece, changesets
from tests.layer.test_view import ROOT, file, folder, link, stackable, whited
from tests.layer.trees import sealed, tar_of
from tests.study.piles import Items, pile

from lamina.layer.entry import Entry, Kind
from lamina.layer.view import Tree
from lamina.study.lives import Aspect, Change, Event, changes, life, lives, sweep, touches

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lamina.layer.sealed import SealedLayer
    from lamina.study.runs import Run

LOW: Items = [
    ROOT, folder(b"etc"), file(b"etc/kept", b"1"), file(b"etc/old", b"1"), file(b"etc/both", b"low"),
    file(b"etc/marked", b"same"), file(b"etc/again", b"same"), folder(b"gone"), file(b"gone/x", b"x"),
    folder(b"full"), file(b"full/x", b"x"), folder(b"becomes"), file(b"becomes/x", b"x"),
    link(b"way", b"etc"),
]  # fmt: skip
HIGH: Items = [
    ROOT, folder(b"etc"), file(b"etc/both", b"LOW"), file(b"etc/.wh.old"),
    (Entry(b"etc/marked", Kind.FILE, 0o600, uid=7), b"same"), file(b"etc/again", b"same"),
    file(b".wh.gone"), folder(b"full"), file(b"full/.wh..wh..opq"), file(b"full/y"),
    file(b"becomes", b"file"), link(b"way", b"/etc"),
]  # fmt: skip
TOP: Items = [
    ROOT,
    folder(b"etc"),
    file(b"etc/old", b"back"),
    folder(b"gone"),
    file(b"gone/new", b"n"),
]


def told(events: tuple[Event, ...]) -> list[tuple[int, str, str]]:
    return [
        (event.number, str(event.change), ",".join(event.aspects) or event.by.decode())
        for event in events
    ]


def test_each_layers_deed_is_told_with_what_changed(tmp_path: Path):
    with pile(tmp_path, LOW, HIGH, TOP) as layers:
        assert told(life(layers, b"etc/kept")) == [(1, "added", "")]
        assert told(life(layers, b"etc/both")) == [(1, "added", ""), (2, "changed", "content")]
        assert told(life(layers, b"etc/marked"))[1] == (2, "changed", "mode,owner")
        assert told(life(layers, b"etc/again"))[1] == (2, "repeated", "")
        assert told(life(layers, b"way"))[1] == (2, "changed", "target")
        assert told(life(layers, b"etc/old")) == [
            (1, "added", ""),
            (2, "removed", "etc/old"),
            (3, "added", ""),
        ]
        assert told(life(layers, b"etc")) == [(1, "added", "")]
        assert told(life(layers, b"never")) == []
        assert life(layers, b"etc/both")[1].before is not None


def test_what_goes_with_a_directory_names_what_took_it(tmp_path: Path):
    with pile(tmp_path, LOW, HIGH, TOP) as layers:
        assert told(life(layers, b"gone/x")) == [(1, "added", ""), (2, "removed", "gone")]
        assert told(life(layers, b"gone")) == [
            (1, "added", ""),
            (2, "removed", "gone"),
            (3, "added", ""),
        ]
        assert told(life(layers, b"full/x")) == [(1, "added", ""), (2, "removed", "full")]
        assert told(life(layers, b"full"))[1] == (2, "changed", "emptied")
        assert told(life(layers, b"becomes/x")) == [(1, "added", ""), (2, "removed", "becomes")]
        assert told(life(layers, b"becomes"))[1] == (2, "changed", "kind,mode")
        assert told(life(layers, b"etc/both/below")) == []


def test_of_several_that_take_a_path_away_the_outermost_is_told(tmp_path: Path):
    low: Items = [ROOT, folder(b"a"), folder(b"a/b"), file(b"a/b/c", b"1"), file(b"a/d", b"2")]
    high: Items = [
        ROOT, folder(b"a"), file(b"a/.wh..wh..opq"), folder(b"a/b"), file(b"a/b/.wh..wh..opq"),
        file(b"a/b/.wh.c"), file(b"a/.wh.d"),
    ]  # fmt: skip
    with pile(tmp_path, low, high) as layers:
        stories = dict(lives(layers))
        for path in (b"a/b/c", b"a/d"):
            assert told(stories[path])[1:] == [(2, "removed", "a")]
            assert told(life(layers, path)) == told(stories[path])


def test_the_walk_tells_of_each_path_what_its_own_life_says(tmp_path: Path):
    with pile(tmp_path, LOW, HIGH, TOP) as layers:
        walked = list(lives(layers))
        assert [path for path, _ in walked] == sorted(path for path, _ in walked)
        for path, events in walked:
            assert told(events) == told(life(layers, path)), path
        few = {path for path, _ in changes(layers)}
        assert few == {path for path, events in walked if len(events) > 1}
        below = [path for path, _ in lives(layers, b"gone")]
        assert below == [b"gone", b"gone/new", b"gone/x"]
        assert list(lives(layers, b"never")) == []


def test_one_layers_touches_are_its_part_of_the_stories(tmp_path: Path):
    with pile(tmp_path, LOW, HIGH, TOP) as layers:
        low = {path: hidden_by for path, _, hidden_by in touches(layers, 1)}
        high = [(path, str(event.change), by) for path, event, by in touches(layers, 2)]
        top = [(path, str(event.change), by) for path, event, by in touches(layers, 3)]
    assert {path: by for path, by in low.items() if by} == {
        b"becomes": 2, b"becomes/x": 2, b"etc/again": 2, b"etc/both": 2, b"etc/marked": 2, b"etc/old": 2,
        b"full/x": 2, b"gone": 2, b"gone/x": 2, b"way": 2,
    }  # fmt: skip
    assert high == [
        (b"becomes", "changed", 0), (b"becomes/x", "removed", 0), (b"etc/again", "repeated", 0),
        (b"etc/both", "changed", 0), (b"etc/marked", "changed", 0), (b"etc/old", "removed", 0),
        (b"full", "changed", 0), (b"full/x", "removed", 0), (b"full/y", "added", 0),
        (b"gone", "removed", 0), (b"gone/x", "removed", 0), (b"way", "changed", 0),
    ]  # fmt: skip
    assert top == [(b"etc/old", "added", 0), (b"gone", "added", 0), (b"gone/new", "added", 0)]


def test_a_root_that_a_layer_says_nothing_of_is_not_its_deed(tmp_path: Path):
    with pile(tmp_path, [ROOT, file(b"a")], [file(b"b")]) as layers:
        assert [path for path, _, _ in touches(layers, 1)] == [b"", b"a"]
        assert [path for path, _, _ in touches(layers, 2)] == [b"b"]


def after(events: tuple[Event, ...], event: Event) -> int:
    """The layer in which what `event` made ends, by the stories."""
    if event.node is None:
        return 0
    for later in events[events.index(event) + 1 :]:
        kinds = {event.node.kind, later.node.kind if later.node else None}
        if kinds != {Kind.DIRECTORY}:
            return later.number
    return 0


def added(run: "Run") -> "Iterator[tuple[bytes, tuple[Event, ...]]]":
    for path, node in run.nodes():
        yield path, (Event(run.number, Change.ADDED, node, None),)


@given(changesets(), whited(), whited())
def test_any_stacks_story_is_what_its_unions_show(
    one: list[Piece], two: list[Piece], three: list[Piece]
):
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        layers: list[SealedLayer] = []
        for number, items in enumerate((one, two, three)):
            data = tar_of(stackable(items))
            layers.append(stack.enter_context(sealed(Path(name, f"l{number}"), data, layers)))
        stories = dict(lives(layers))
        swept = [
            (path, told(events))
            for item in sweep(layers)
            for path, events in ([item] if isinstance(item, tuple) else added(item))
        ]
        assert swept == [(path, told(events)) for path, events in stories.items()]
        for height in range(1, len(layers) + 1):
            seen = {path: node for path, node in Tree.of(layers[:height]).walk() if path}
            said = {}
            for path, events in stories.items():
                past = [event for event in events if event.number <= height]
                if path and past and past[-1].node is not None:
                    said[path] = past[-1].node
            assert said.keys() == seen.keys()
            for path, node in seen.items():
                found = said[path]
                assert (found.kind, found.mode, found.uid, found.size) == (
                    (node.kind, node.mode, node.uid, node.size)
                    if node.kind is not Kind.DIRECTORY
                    else (found.kind, node.mode, node.uid, found.size)
                ), path
        for number in range(1, len(layers) + 1):
            touched = [(path, told((event,)), by) for path, event, by in touches(layers, number)]
            assert touched == [
                (path, told((event,)), after(events, event))
                for path, events in stories.items()
                for event in events
                if event.number == number
            ]
        for path, events in stories.items():
            assert told(events) == told(life(layers, path)), path
            assert events[0].change is Change.ADDED
            assert all(event.aspects for event in events if event.change is Change.CHANGED)
            assert not any(
                Aspect.KIND in event.aspects and event.before is None for event in events
            )
