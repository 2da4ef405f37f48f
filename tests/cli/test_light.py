"""The light stand-ins behave as the standard library's own; whatever else is asked for is the original's."""

import contextlib
import functools
import signal
import subprocess
import sys
from typing import Any

import pytest

from lamina.cli.light import STAND_INS

CONTEXTS: dict[str, Any] = STAND_INS["contextlib"]


def fail(error: BaseException) -> None:
    raise error


class Loud:
    """Writes down how it was left; with `swallow` the exception goes no further."""

    def __init__(self, said: list[str], name: str, *, swallow: bool = False, fail: bool = False):
        self.said, self.name, self.swallow, self.fail = said, name, swallow, fail

    def __enter__(self):
        return self.name

    def __exit__(self, kind, error, trace):
        self.said.append(f"{self.name}:{kind.__name__ if kind else '-'}")
        if self.fail:
            raise LookupError(self.name)
        return self.swallow


@pytest.fixture(params=["light", "original"])
def contexts(request) -> dict[str, Any]:
    """Everything asked of ours is asked of the original too."""
    return CONTEXTS if request.param == "light" else vars(contextlib)


def test_suppressing_takes_the_named_kinds_and_their_children(contexts):
    with contexts["suppress"](OSError, KeyError):
        fail(FileNotFoundError())
    with contexts["suppress"]():
        pass
    with pytest.raises(ValueError, match="other"), contexts["suppress"](OSError):
        raise ValueError("other")


def test_a_null_context_gives_what_it_was_given(contexts):
    with contexts["nullcontext"](5) as given:
        assert given == 5
    with contexts["nullcontext"]() as given:
        assert given is None


def test_a_generator_is_entered_and_left_once(contexts):
    said: list[str] = []

    @contexts["contextmanager"]
    def around(name, *, more=""):
        """Say it."""
        said.append(f"in {name}{more}")
        try:
            yield name
        finally:
            said.append(f"out {name}")

    with around("a", more="!") as name:
        said.append(name)
    with pytest.raises(ZeroDivisionError), around("b"):
        raise ZeroDivisionError
    assert said == ["in a!", "a", "out a", "in b", "out b"]
    assert (around.__name__, around.__doc__) == ("around", "Say it.")


def test_a_generator_may_swallow_or_replace_the_exception(contexts):
    @contexts["contextmanager"]
    def swallowing():
        with contextlib.suppress(OSError):
            yield

    @contexts["contextmanager"]
    def replacing():
        try:
            yield
        except OSError as error:
            raise LookupError("instead") from error

    with swallowing():
        fail(OSError())
    with pytest.raises(LookupError, match="instead") as caught, replacing():
        raise OSError
    assert isinstance(caught.value.__cause__, OSError)


def test_the_end_of_an_iteration_passes_through_a_generator(contexts):
    @contexts["contextmanager"]
    def around():
        yield

    stop = StopIteration("over")
    with pytest.raises(StopIteration) as caught, around():
        raise stop
    assert caught.value is stop


def test_a_generator_that_yields_wrongly_is_told_of(contexts):
    @contexts["contextmanager"]
    def never():
        return
        yield

    @contexts["contextmanager"]
    def twice():
        yield
        yield

    @contexts["contextmanager"]
    def again():
        try:
            yield
        except OSError:
            yield

    with pytest.raises(RuntimeError, match="didn't yield"), never():
        pass
    with pytest.raises(RuntimeError, match="didn't stop"), twice():
        pass
    with pytest.raises(RuntimeError, match="didn't stop after throw"), again():
        raise OSError


def test_a_stack_is_left_in_the_opposite_order(contexts):
    said: list[str] = []
    with contexts["ExitStack"]() as stack:
        assert stack.enter_context(Loud(said, "one")) == "one"
        stack.push(Loud(said, "two"))
        stack.callback(said.append, "three")
        stack.push(lambda *error: said.append(f"four:{error[0]}"))
    assert said == ["four:None", "three", "two:-", "one:-"]


def test_a_stack_passes_exceptions_on_until_one_swallows_it(contexts):
    said: list[str] = []
    with contexts["ExitStack"]() as stack:
        stack.enter_context(Loud(said, "outer"))
        stack.enter_context(Loud(said, "middle", swallow=True))
        stack.enter_context(Loud(said, "inner"))
        fail(OSError())
    assert said == ["inner:OSError", "middle:OSError", "outer:-"]


def test_a_stack_goes_on_when_leaving_fails(contexts):
    said: list[str] = []
    with pytest.raises(LookupError, match="inner"), contexts["ExitStack"]() as stack:
        stack.enter_context(Loud(said, "outer"))
        stack.enter_context(Loud(said, "inner", fail=True))
        raise OSError
    assert said == ["inner:OSError", "outer:LookupError"]


def test_what_a_stack_holds_can_be_handed_over(contexts):
    said: list[str] = []
    with contexts["ExitStack"]() as stack:
        stack.callback(said.append, "kept")
        other = stack.pop_all()
    assert said == []
    other.close()
    assert said == ["kept"]


@pytest.mark.parametrize("names", [STAND_INS["functools"], vars(functools)])
def test_what_is_worked_out_once_is_kept(names):
    calls = []

    class Owner:
        @names["cached_property"]
        def value(self):
            """Count."""
            calls.append("value")
            return len(calls)

    owner = Owner()
    assert (owner.value, owner.value, calls) == (1, 1, ["value"])
    assert Owner.value.__doc__ == "Count."

    @names["lru_cache"](maxsize=1)
    def one(number):
        calls.append("one")
        return number

    @names["lru_cache"]
    def many(number):
        return number

    @names["cache"]
    def every(number):
        calls.append("every")
        return -number

    assert [one(1), one(1), one(2), one(1), many(3)] == [1, 1, 2, 1, 3]
    assert [every(1), every(1)] == [-1, -1]
    assert calls == ["value", "one", "one", "one", "every"]
    assert one.cache_info().misses == 3
    assert names["partial"](max, 3)(2) == 3


def test_numbers_are_those_of_the_original():
    for name, value in STAND_INS["signal"].items():
        if isinstance(value, int):
            assert getattr(signal, name) == value


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-IS", "-c", code, *[entry for entry in sys.path if entry]],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


LIGHTEN = (
    "import sys; sys.path[:0] = sys.argv[1:]; from lamina.cli.startup import lighten; lighten(); "
)


def test_names_at_hand_load_nothing_and_others_the_original():
    loaded = "print(*(n in sys.modules for n in ('reprlib', 'enum', 'selectors')))"
    code = (
        "from contextlib import suppress, ExitStack; from functools import partial; import signal, socket; "
        "from collections.abc import Mapping; signal.SIGTERM, socket.AF_UNIX, socket.socketpair; "
    )
    assert run(LIGHTEN + code + loaded) == "False False False"
    assert run(LIGHTEN + "import signal; print(repr(signal.Signals(9)))") == (
        "<Signals.SIGKILL: 9>"
    )
    code = "from contextlib import AsyncExitStack; import functools; print(functools.wraps(len)(run := lambda: 1).__name__)"
    assert run(LIGHTEN + code) == "len"


def test_the_abstract_collections_stay_where_they_are():
    code = "import collections.abc as first; import collections; print(collections.abc is first); "
    more = "collections.namedtuple; import collections.abc; import collections as real; print(real.abc is first, 'Counter' in vars(real))"
    assert run(LIGHTEN + code + more).split() == ["True"] * 3
    early = "import collections; " + LIGHTEN  # as some systems' `site` does
    assert (
        run(early + "import collections.abc; print(collections.abc.Mapping.__name__)") == "Mapping"
    )
