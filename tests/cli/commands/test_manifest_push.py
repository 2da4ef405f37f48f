"""`lamina manifest push` says each image on stderr and the list's digest on stdout."""

import re

from tests.commands import Lamina
from tests.images import Piece, tar
from tests.servers import RegistryServer


def test_the_draft_stays_unless_it_is_purged(lamina: Lamina, registry: RegistryServer):
    name = f"{registry.address}/pushed/list:1"
    lamina("import", "-", "part:1", stdin=tar([Piece("a", b"a")]))
    lamina("manifest", "create", name, "part:1")
    first = lamina.attempt("manifest", "push", name)
    assert re.fullmatch(r"sha256:[0-9a-f]{64}\n", first.out)
    assert f"Pushed {registry.address}/pushed/list@sha256:" in first.err
    assert lamina("manifest", "push", "-p", name) == first.out
    assert lamina.attempt("manifest", "push", name).code == 1
