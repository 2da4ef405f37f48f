"""What an answer says of its manifest."""

import pytest

from lamina.remote.described import described, media_type_of, parse_digest, verify
from lamina.remote.errors import ResponseInvalid
from lamina.remote.messages import Headers, Response
from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.digest import Digest
from lamina.stream.verify import DigestMismatch

DIGEST = Digest.of(b"x")


def answer(**fields: str) -> Response:
    rows = [(name.replace("_", "-"), value) for name, value in fields.items()]
    return Response(200, Headers(rows), url="http://reg/v2/")


def test_an_answer_without_content_describes_it_or_does_not() -> None:
    full = {"docker_content_digest": f" {DIGEST} ", "content_type": "a/b; x=y"}
    assert described(answer(**full, content_length="7")) == Descriptor("a/b", DIGEST, 7)
    assert described(answer(**full)) is None
    assert described(answer(**full | {"content_type": "text/plain"}, content_length="7")) is None
    assert described(answer(content_type="a/b", content_length="7")) is None
    assert parse_digest("md5:1") is None


@pytest.mark.parametrize(
    ("said", "raw", "given"),
    [
        ("A/B; charset=x", b"", "a/b"),
        ("text/plain", b'{"mediaType": "c/d"}', "c/d"),
        ("", b'{"manifests": []}', MediaType.OCI_INDEX),
        ("", b"{}", MediaType.OCI_MANIFEST),
    ],
)
def test_a_vague_type_is_looked_for_in_the_document(said: str, raw: bytes, given: str) -> None:
    assert media_type_of(answer(content_type=said), raw) == given


def test_what_is_no_document_and_what_is_another_are_refused() -> None:
    with pytest.raises(ResponseInvalid, match="http://reg/v2/"):
        media_type_of(answer(), b"<html>")
    verify(b"x", DIGEST, "a:b")
    with pytest.raises(DigestMismatch, match="manifest for a:b"):
        verify(b"y", DIGEST, "a:b")


def test_a_web_page_is_no_manifest() -> None:
    page = answer(content_type="text/html; charset=utf-8", docker_content_digest=str(DIGEST))
    with pytest.raises(ResponseInvalid, match="reg/v2/ gave a web page, not a manifest"):
        media_type_of(page, b"<html>log in to this network</html>")
    assert described(page) is None
    assert media_type_of(page, b'{"mediaType": "c/d"}') == "c/d"  # only the label is wrong
