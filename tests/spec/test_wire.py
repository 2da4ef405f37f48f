import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
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


@given(documents())
def test_what_is_written_is_what_json_writes(value: object):
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)  # noqa: TID251 - the judge
    assert encode(value).decode() == text


@given(st.text(alphabet='{}[]",:\\u1d8-.eE+ \t\nNaInfity\ufeffé', max_size=30), st.booleans())
def test_what_is_read_is_what_json_reads(text: str, as_bytes: bool):
    text = '{"a":' + text + "}"
    raw = text.encode() if as_bytes else text
    try:
        expected = json.loads(raw)
    except ValueError as error:
        with pytest.raises(Invalid, match=re.escape(str(error))):
            decode(raw)
    else:
        assert repr(decode(raw)) == repr(expected)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32-le", "utf-8-sig"])
def test_other_encodings_are_read_as_json_reads_them(encoding: str):
    assert decode('{"a":"é"}'.encode(encoding)) == {"a": "é"}


def test_a_value_that_json_has_no_form_for_is_refused():
    for value in ({"a": object()}, object()):
        with pytest.raises(TypeError, match="Object of type object is not JSON serializable"):
            encode(value)


def test_letters_that_a_terminal_would_obey_are_escaped_and_mean_the_same():
    value = {"name": "a\x9bb\u202ec\ud800\U000e0001\x7f é 漢 🐳", "lines": "one\n\ttwo"}
    text = encode_pretty(value, indent="\t")
    assert all(letter.isprintable() or letter in "\n\t" for letter in text)
    assert "\\u009b" in text
    assert "\\udb40\\udc01" in text
    assert "é 漢 🐳" in text
    assert json.loads(text) == value
