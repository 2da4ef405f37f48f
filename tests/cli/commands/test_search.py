"""`lamina search` prints names to pull by, and says when it looked in the catalogue."""

from tests.commands import Lamina
from tests.images import Piece, tar
from tests.servers import RegistryServer

from lamina.spec.wire import decode


def test_a_registry_without_a_search_says_so_on_stderr(lamina: Lamina, registry: RegistryServer):
    name = f"{registry.address}/sought/after"
    lamina("import", "-", name, stdin=tar([Piece("a", b"a")]))
    lamina("push", name)
    found = lamina.attempt("search", f"{registry.address}/sought")
    assert found.code == 0
    assert found.lines[0].split() == ["NAME", "DESCRIPTION", "STARS", "OFFICIAL"]
    assert found.lines[1].split() == [name, "0"]
    assert found.err == f"{registry.address} has no search: these are its repositories by name\n"
    assert lamina("search", "-q", f"{registry.address}/sought") == f"{name}\n"
    rows = decode('{"rows":' + lamina("search", "--json", f"{registry.address}/sought") + "}")
    assert rows["rows"] == [{"Name": name, "Description": "", "StarCount": 0, "IsOfficial": False}]
    assert lamina.attempt("search", "--limit", "0", "x").code == 1
    for text, left in (
        ("stars=0", 1),
        ("stars=1", 0),
        ("is-official=true", 0),
        ("is-automated=false", 1),
    ):
        shown = lamina("search", "-q", "-f", text, f"{registry.address}/sought")
        assert len(shown.splitlines()) == left, text
    for text in ("nosuch=1", "stars=many", "is-official=perhaps"):
        assert lamina.attempt("search", "-f", text, "x").code == 1
