"""`lamina manifest rm` forgets lists by name."""

from tests.commands import Lamina
from tests.images import Piece, tar


def test_lists_are_forgotten_and_images_stay(lamina: Lamina):
    lamina("import", "-", "one:1", stdin=tar([Piece("a", b"a")]))
    lamina("manifest", "create", "all:1", "one:1")
    outcome = lamina.attempt("manifest", "rm", "all:1", "none:1")
    assert (outcome.code, outcome.out) == (1, "all:1\n")
    assert outcome.err.startswith("lamina: No such manifest: none:1\n")
    assert lamina("images", "-q")
