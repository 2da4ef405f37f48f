"""What one layer does in a directory, page by page, is what looking at each name says."""

from contextlib import ExitStack

from hypothesis import given
from hypothesis import strategies as st
from tests.hub.exploring.images import file, folder, gone
from tests.study.piles import Items, pile

from lamina.hub.exploring.reading import Inside
from lamina.hub.tables.explorations import Exploration
from lamina.layer.hollow import HollowLayer, pack, unpack
from lamina.layer.view import Tree
from lamina.spec.digest import Digest

D = b"p/d"
NAMES = st.sets(st.sampled_from([b"%d" % number for number in range(9)]))
KNOWN = Exploration(1, "done", "", 0.0, 1.0, 0, 0, 0, (Digest.of(b""),))


def items(names: set[bytes], removed: set[bytes], kind: int, number: int) -> Items:
    """A layer with a directory: as it is, emptied, alone or with the one above it, or taken away for a file."""
    if kind == 3:
        return [folder(b"p"), file(D, b"no directory")]
    rows: list[tuple[bytes, bytes]] = [(name, b"x" * (number * int(name) % 2)) for name in sorted(names)]  # fmt: skip
    return [
        folder(b"p"),
        folder(D),
        *(file(D + b"/" + name, body) for name, body in rows),
        *(gone(D + b"/" + name) for name in sorted(removed - names)),
        *[file(D + b"/.wh..wh..opq")] * (kind == 2),
        *[file(b"p/.wh..wh..opq")] * (kind == 4),
    ]


def expected(layers: list[HollowLayer], number: int) -> list[tuple[bytes, str]]:
    """Each name that is in the layer, or gone with it, by what the unions below and with it have there."""
    below, with_it = (
        dict(Tree.of(layers[:count]).listdir(D)) if count else {} for count in (number - 1, number)
    )
    layer = layers[number - 1]
    here = layer.lookup(D)
    above = layer.lookup(b"p")
    assert above is not None
    is_emptied = above.opaque or (here is not None and here.opaque)
    if here is None or (not (own := layer.listdir(D)) and not is_emptied):
        return []
    own_names = {name for name, _ in own}
    rows = []
    for name in sorted(below.keys() | with_it.keys()):
        old, new = below.get(name), with_it.get(name)
        if new is None:
            rows.append((name, "removed"))
        elif name in own_names:
            same = old is not None and old.size == new.size
            rows.append((name, "added" if old is None else "repeated" if same else "changed"))
    return rows


@given(st.lists(st.tuples(NAMES, NAMES, st.integers(0, 4)), min_size=1, max_size=3))
def test_pages_of_what_a_layer_does_are_what_it_does_to_each_name(tmp_path_factory, stack):
    where = tmp_path_factory.mktemp("reading")
    with ExitStack() as opened:
        layers = []
        stacks = [items(one[0], one[1], one[2], number) for number, one in enumerate(stack)]
        for number, sealed in enumerate(opened.enter_context(pile(where, *stacks))):
            path = str(where / f"hollow{number}")
            unpack(pack(sealed, lambda _: False), path)
            layers.append(opened.enter_context(HollowLayer.open(path)))
        image = Inside(None, KNOWN, layers)  # type: ignore[arg-type] # no weights are asked for
        for number in range(1, len(layers) + 1):
            wanted = expected(layers, number)
            told = []
            for offset in range(0, len(wanted) + 3, 3):
                listed = image.listing(D, number=number, offset=offset, limit=3)
                assert listed.total == len(wanted)
                told += [(row.name, row.mark) for row in listed.rows]
            assert told == wanted
