import hashlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import digests

from lamina.errors import Invalid
from lamina.spec.digest import Digest, DigestInvalid, chain_id


@given(st.binary(max_size=300), st.sampled_from([0, 65_236, 65_536, 200_000]))
def test_a_digest_names_short_and_long_bytes_alike(data: bytes, more: int):
    data += bytes(more)
    assert Digest.of(data) == "sha256:" + hashlib.sha256(data).hexdigest()
    assert Digest.of(data, "sha512") == "sha512:" + hashlib.sha512(data).hexdigest()


def test_a_digest_names_bytes_by_sha256():
    assert Digest.of(b"") == (
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )


def test_parts_of_a_digest_can_be_read():
    digest = Digest.of(b"")
    assert (digest.algorithm, digest.hex[:4], digest.short) == ("sha256", "e3b0", "e3b0c44298fc")


@given(digests())
def test_parsing_what_was_printed_gives_the_same_digest(digest: Digest):
    assert Digest.parse(str(digest)) == digest


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256",
        "sha256:",
        "sha256:" + "g" * 64,
        "sha256:" + "a" * 63,
        "sha256:" + "a" * 65,
        "sha256:" + "A" * 64,
        "SHA256:" + "a" * 64,
        "sha512:" + "a" * 64,
        "md5:" + "a" * 32,
        "sha256:" + "a" * 64 + "\n",
        " sha256:" + "a" * 64,
        "sha256:../../../../etc/passwd",
        "sha256+b64:" + "a" * 64,
        7,
        None,
        ["sha256:" + "a" * 64],
    ],
)
def test_what_is_no_digest_is_refused_with_its_text(text: object):
    with pytest.raises(DigestInvalid) as caught:
        Digest.parse(text)
    assert isinstance(caught.value, Invalid)


@given(st.text())
def test_any_text_is_a_digest_or_is_refused(text: str):
    with suppress(DigestInvalid):
        assert Digest.parse(text) == text


def test_chain_id_of_one_layer_is_its_diff_id():
    only = Digest.of(b"layer")
    assert chain_id([only]) == only


def test_chain_id_of_two_layers_hashes_both_names_with_a_space_between():
    # image-spec config.md, "Layer ChainID": ChainID(L0|L1) = Digest(ChainID(L0) + " " + DiffID(L1))
    low, high = Digest.of(b"low"), Digest.of(b"high")
    assert chain_id([low, high]).hex == hashlib.sha256(f"{low} {high}".encode()).hexdigest()


def test_chain_id_of_three_layers_is_the_chain_of_two_extended_by_one():
    low, middle, high = (Digest.of(name) for name in (b"A", b"B", b"C"))
    two = chain_id([low, middle])
    assert chain_id([low, middle, high]) == Digest.of(f"{two} {high}".encode())
    assert chain_id([low, middle, high]) != chain_id([middle, low, high])


def test_an_empty_pile_has_no_chain_id():
    with pytest.raises(Invalid, match="without layers"):
        chain_id([])
