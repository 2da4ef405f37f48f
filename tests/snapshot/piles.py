"""Seal tars into layers, for tests of what lies on top of them."""

from lamina.spec.digest import Digest


def seal(layers, *tars):
    """Seal `tars`, lowest first; give their pile of diff IDs."""
    pile = tuple(Digest.of(tar) for tar in tars)
    for i, tar in enumerate(tars):
        if not layers.has(pile[: i + 1]):
            with layers.writer(pile[: i + 1]) as writer:
                writer.write(tar)
                writer.commit()
    return pile
