import json

import pytest
from hypothesis import given
from tests.strategies import documents

from lamina.errors import Invalid
from lamina.spec.wire import decode, encode, encode_pretty


@given(documents())
def test_reading_what_was_written_gives_the_same_value(value: object):
    assert json.loads(encode(value)) == value
    assert json.loads(encode_pretty(value)) == value


def test_what_is_written_is_compact_utf_8_with_keys_in_the_order_given():
    assert encode({"b": "é", "a": [1, None]}) == '{"b":"é","a":[1,null]}'.encode()


def test_half_a_surrogate_pair_survives():
    value = decode(b'{"a":"\\ud800"}')
    assert decode(encode(value)) == value


@pytest.mark.parametrize("raw", [b"", b"[1]", b'"x"', b"{", b"\xff\xfe", b"nul", b"[" * 100_000])
def test_what_is_no_object_is_refused_by_name(raw: bytes):
    with pytest.raises(Invalid, match="manifest"):
        decode(raw, what="manifest")
