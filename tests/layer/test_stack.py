"""Stacks as values."""

from lamina.layer.stack import Lower, Stack
from lamina.spec.digest import Digest


def test_a_stack_without_an_upper_directory_is_read_only():
    lower = Lower("somewhere", sealed=True, diff_id=Digest.of(b""))
    assert not Stack((lower,)).writable
    assert Stack((lower,), "upper", "work").writable
