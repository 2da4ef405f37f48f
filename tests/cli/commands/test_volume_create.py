"""`lamina volume create`, as it is typed; the other volume commands beside it."""

from tests.commands import Lamina


def test_volumes_are_made_listed_inspected_and_removed(lamina: Lamina):
    assert lamina("volume", "create", "--label=tier=1", "data") == "data\n"
    nameless = lamina("volume", "create").strip()
    assert lamina("volume", "ls", "-q") == "".join(f"{n}\n" for n in sorted(("data", nameless)))
    assert lamina("volume", "inspect", "-f={{.Labels.tier}} {{.Options}}", "data") == "1 map[]\n"
    assert lamina("volume", "prune", "-f").splitlines()[1] == nameless
    refused = lamina.attempt("volume", "rm", "data", "none")
    assert (refused.out, refused.code) == ("data\n", 1)
    assert "get none: no such volume" in refused.err


def test_a_driver_that_is_not_there_is_named(lamina: Lamina):
    told = lamina.attempt("volume", "create", "-d", "cloud", "x")
    assert told.code == 1
    assert "error looking up volume plugin cloud: plugin not found" in told.err
