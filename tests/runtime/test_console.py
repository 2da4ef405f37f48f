import os
import termios

import pytest

from lamina.errors import Invalid
from lamina.runtime.console import DetachKeys, is_terminal, raw_mode, resize, window_size


def test_the_keys_detach_however_they_arrive():
    keys = DetachKeys()
    assert keys.feed(b"ls\x10") == (b"ls", False)
    assert keys.feed(b"\x11") == (b"", True)


def test_half_a_sequence_is_typed_after_all():
    keys = DetachKeys()
    assert keys.feed(b"\x10a") == (b"\x10a", False)
    assert keys.feed(b"\x10\x10\x11") == (b"\x10", True)


def test_other_keys_can_be_chosen():
    assert DetachKeys("ctrl-a,d").feed(b"x\x01d") == (b"x", True)
    assert DetachKeys("").feed(b"\x10\x11") == (b"\x10\x11", False)


@pytest.mark.parametrize("keys", ["ctrl-", "ctrl-1", "word", "ctrl-ab"])
def test_keys_that_are_none_are_refused(keys: str):
    with pytest.raises(Invalid, match="invalid detach keys"):
        DetachKeys(keys)


def test_raw_mode_is_undone_whatever_happens():
    ours, theirs = os.openpty()
    before = termios.tcgetattr(theirs)

    class OddError(Exception):
        pass

    def fail() -> None:
        with raw_mode(theirs):
            assert termios.tcgetattr(theirs) != before
            raise OddError

    with pytest.raises(OddError):
        fail()
    assert termios.tcgetattr(theirs) == before
    os.close(ours)
    os.close(theirs)


def test_the_size_is_set_and_read_and_zero_is_left_alone():
    ours, theirs = os.openpty()
    resize(ours, 33, 99)
    resize(ours, 0, 0)
    assert window_size(theirs) == (33, 99)
    assert is_terminal(theirs)
    os.close(ours)
    os.close(theirs)
    assert not is_terminal(theirs)
    assert window_size(theirs) == (0, 0)
