import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import splits

from lamina.errors import Corrupt
from lamina.spec.digest import Digest
from lamina.stream.verify import DigestMismatch, Hasher, SizeMismatch, VerifyingReader, chunks


class Pieces:
    """A source that gives what it has, as a socket does."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = list(pieces)

    def read(self, size: int = -1, /) -> bytes:
        if not self._pieces:
            return b""
        piece = self._pieces.pop(0)
        if 0 <= size < len(piece):
            self._pieces.insert(0, piece[size:])
            piece = piece[:size]
        return piece


def drain(reader: VerifyingReader, size: int = 3) -> bytes:
    return b"".join(chunks(reader, size))


@given(st.data(), st.binary(max_size=40))
def test_the_right_bytes_pass_however_they_are_split(data: st.DataObject, body: bytes):
    source = Pieces(data.draw(splits(body)))
    reader = VerifyingReader(source, Digest.of(body), len(body))
    assert drain(reader) == body
    assert reader.offset == len(body)
    assert reader.read() == b""


@given(st.binary(min_size=1, max_size=40), st.data())
def test_every_bit_flip_is_a_digest_mismatch(body: bytes, data: st.DataObject):
    bit = data.draw(st.integers(0, len(body) * 8 - 1))
    damaged = bytearray(body)
    damaged[bit // 8] ^= 1 << bit % 8
    reader = VerifyingReader(io.BytesIO(bytes(damaged)), Digest.of(body), len(body))
    with pytest.raises(DigestMismatch):
        drain(reader)


@given(st.binary(min_size=1, max_size=40), st.data())
def test_every_truncation_is_a_size_mismatch(body: bytes, data: st.DataObject):
    kept = data.draw(st.integers(0, len(body) - 1))
    reader = VerifyingReader(io.BytesIO(body[:kept]), Digest.of(body), len(body))
    with pytest.raises(SizeMismatch):
        drain(reader)


@given(st.binary(max_size=40), st.binary(min_size=1, max_size=9))
def test_surplus_bytes_are_never_handed_out_and_never_pass(body: bytes, surplus: bytes):
    reader = VerifyingReader(io.BytesIO(body + surplus), Digest.of(body), len(body))
    got = b""
    while len(got) < len(body):
        got += reader.read(7)
    assert got == body
    with pytest.raises(SizeMismatch):
        reader.read(7)


def test_a_failure_stays_a_failure_when_read_again():
    reader = VerifyingReader(io.BytesIO(b"ab"), Digest.of(b"a"), 1)
    assert reader.read() == b"a"
    for _ in range(3):
        with pytest.raises(SizeMismatch):
            reader.read()


def test_reading_nothing_proves_nothing_and_fails_nothing():
    reader = VerifyingReader(io.BytesIO(b"a"), Digest.of(b"a"), 1)
    assert reader.read(0) == b""
    assert reader.read() == b"a"
    assert reader.read() == b""


def test_a_mismatch_is_corrupt_and_names_both_digests():
    reader = VerifyingReader(io.BytesIO(b"b"), Digest.of(b"a"), 1)
    with pytest.raises(Corrupt) as caught:
        drain(reader)
    assert str(Digest.of(b"a")) in caught.value.message
    assert str(Digest.of(b"b")) in caught.value.message
    assert caught.value.hint


def test_a_sha512_digest_is_checked_by_sha512():
    hasher = Hasher("sha512")
    hasher.update(memoryview(b"body"))
    assert hasher.digest.algorithm == "sha512"
    assert hasher.size == 4
    assert drain(VerifyingReader(io.BytesIO(b"body"), hasher.digest, 4)) == b"body"
