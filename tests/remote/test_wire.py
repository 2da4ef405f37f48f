"""HTTP on a socket: what is read of good answers, as the standard library's client reads them, and of bad ones."""

import http.client
import socket

import pytest

from lamina.remote.wire import Answer, NotWritable, WireBroken, head_of

GOOD = {
    "with a length": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "without a body": b"HTTP/1.1 204 No Content\r\nDate: x\r\n\r\n",
    "not modified": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
    "in chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5;name=value\r\nhello\r\nA\r\n, you two!\r\n0\r\nTrailer: x\r\n\r\n",
    "until it hangs up": b"HTTP/1.1 200 OK\r\nX: 1\r\n\r\nall there is",
    "and closes": b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
    "as of old": b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "as of old, kept": b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nok",
    "after others": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n",
    "with bare line feeds": b"HTTP/1.1 404 Not Found\nContent-Length: 4\nX:  spaced \n\ngone",
    "with a folded field": b"HTTP/1.1 200 OK\r\nLink: one,\r\n two\r\nContent-Length: 0\r\n\r\n",
    "without a reason": b"HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx",
    "several of a name": b"HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\na: 3\r\nContent-Length: 0\r\n\r\n",
    "other alphabets": "HTTP/1.1 200 OK\r\nX: é\r\nContent-Length: 0\r\n\r\n".encode("latin-1"),
    "no number for a length": b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nup to the end",
}


def given(data: bytes) -> socket.socket:
    """Give a socket on which `data` comes, and then the end."""
    near, far = socket.socketpair()
    with far:
        far.sendall(data)
    return near


def body_of(answer: Answer, size: int = 3) -> bytes:
    return b"".join(iter(lambda: answer.read1(size), b""))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("data", GOOD.values(), ids=GOOD)
def test_an_answer_is_what_the_standard_library_makes_of_it(data: bytes, method: str) -> None:
    with given(data) as sock, given(data) as twin:
        answer = Answer(sock, method)
        expected = http.client.HTTPResponse(twin, method=method)
        expected.begin()
        assert (answer.status, answer.reason) == (expected.status, expected.reason)
        folded = [(name, " ".join(value.split())) for name, value in expected.getheaders()]
        assert answer.fields == folded
        assert answer.will_close == expected.will_close
        assert body_of(answer) == expected.read()
        # A body that only the end of the connection ends leaves nothing to go on with.
        assert answer.is_over
        answer.close()
        expected.close()


def test_a_body_of_known_length_is_over_with_its_last_byte_and_the_next_answer_follows() -> None:
    with given(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") as sock:
        answer = Answer(sock, "GET")
        states = [answer.is_over, answer.read1(100), answer.is_over, answer.will_close]
        assert states == [False, b"ok", True, False]
        answer.close()
        answer.close()


BAD = {
    "nothing": (b"", ConnectionResetError, "hung up"),
    "another protocol": (b"SSH-2.0-OpenSSH\r\n", WireBroken, "no answer in HTTP"),
    "no status": (b"HTTP/1.1 fine\r\n\r\n", WireBroken, "no answer in HTTP"),
    "half a head": (b"HTTP/1.1 200 OK\r\nContent-Le", WireBroken, "in the middle"),
    "a long line": (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", WireBroken, "too long"),
    "many fields": (b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 300 + b"\r\n", WireBroken, "more than"),
    "a short body": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", ConnectionResetError, "4 bytes are missing",
    ),
    "a short chunk": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello", WireBroken, "of a chunk",
    ),
    "no last chunk": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", WireBroken, "in the middle",
    ),
    "no size": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nok\r\n", WireBroken, "no size",
    ),
    "a long chunk": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokay\r\n0\r\n\r\n", WireBroken, "longer",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("data", "kind", "words"), BAD.values(), ids=BAD)
def test_what_is_no_answer_is_refused(data: bytes, kind: type[Exception], words: str) -> None:
    def read() -> None:
        with given(data) as sock:
            answer = Answer(sock, "GET")
            try:
                body_of(answer)
            finally:
                answer.close()

    with pytest.raises(kind, match=words):
        read()


def test_a_request_has_its_fields_and_none_that_somebody_slipped_in() -> None:
    assert head_of("GET", "/v2/", [("Host", "h"), ("X", "é")]) == (
        b"GET /v2/ HTTP/1.1\r\nHost: h\r\nX: \xe9\r\n\r\n"
    )
    for target, value in [("/v2/", "a\r\nB: c"), ("/v2/", "a\nb"), ("/ HTTP/1.1\r\n", "a")]:
        with pytest.raises(NotWritable):
            head_of("GET", target, [("X", value)])
