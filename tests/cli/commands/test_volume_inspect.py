"""`lamina volume inspect` of what is not there."""

from tests.commands import Lamina


def test_what_is_not_there_is_told_and_the_array_is_empty(lamina: Lamina):
    told = lamina.attempt("volume", "inspect", "none")
    assert (told.code, told.out) == (1, "[]\n")
    assert "get none: no such volume" in told.err
