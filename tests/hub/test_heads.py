"""Heads that are read in front of aiohttp: it must read the same of each that is taken."""

import asyncio

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_parser import HttpRequestParser
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.soaking import sized

from lamina.hub.heads import HEAD_LIMIT, Heads, read_head

PLAIN = b"GET /v2/a/b/manifests/v1?n=1 HTTP/1.1\r\nHost: hub:5000\r\nAccept: a/b\r\nAccept:  c/d\t\r\n\r\n"
SENT = b"PUT /v2/a/b/blobs/uploads/1?digest=x HTTP/1.1\r\nHost: a\r\nContent-Type: x/y\r\nContent-Length: 5\r\n\r\n"


def test_a_plain_head_is_read_whole():
    head = read_head(PLAIN)
    assert head is not None
    assert head.is_plain
    assert head.key == ("GET", "/v2/a/b/manifests/v1?n=1", "")
    assert head.fields == {"host": "hub:5000", "accept": "a/b,c/d"}


@pytest.mark.parametrize(
    "line",
    [
        "Content-Length: 0", "Content-Length: 5", "Transfer-Encoding: chunked", "Expect: 100-continue", "Upgrade: h2c",
        "Connection: upgrade", "Connection: close, te", "Host: other", "TE: trailers", "Trailer: x", "Sec-WebSocket-Key: x",
        "HTTP2-Settings: x", "Keep-Alive: 5", "Proxy-Authorization: x",
        "no colon", " folded: line", "spaced : name", "Bell: \x07", "X: caf\xe9", "X: a\rb", "X: a\nb", ": empty",
    ],
)  # fmt: skip
def test_what_makes_another_request_of_it_is_left_to_aiohttp(line):
    assert read_head(PLAIN[:-2] + line.encode("latin-1") + b"\r\n\r\n") is None


@pytest.mark.parametrize(
    "line",
    [
        "If-None-Match: *",
        "if-modified-since: x",
        "RANGE: bytes=0-1",
        "If-Range: x",
        "Connection: Close",
    ],
)
def test_a_condition_and_a_last_request_are_known_for_such(line):
    head = read_head(PLAIN[:-2] + line.encode() + b"\r\n\r\n")
    assert head is not None
    assert not head.is_plain


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\r\n", PLAIN[:-1], PLAIN[:-4], PLAIN + b"x", PLAIN + PLAIN, b"\r\n" + PLAIN, PLAIN.replace(b"\r", b""),
        PLAIN.replace(b"GET", b"POST"), PLAIN.replace(b"GET", b"get"), PLAIN.replace(b"1.1", b"1.0"),
        PLAIN.replace(b"/v2", b"http://x/v2"), PLAIN.replace(b"GET ", b"GET  "), PLAIN.replace(b"/a/", b"/ /"),
        PLAIN.replace(b"?n=1", b"#x"), PLAIN.replace(b"Host", b"Ghost"), PLAIN.replace(b"a/b\r", b"a" * HEAD_LIMIT + b"\r"),
        PLAIN.replace(b"Accept", b"Authorization"), PLAIN[:-2] + b"a: b\r\n" * 60 + b"\r\n",
    ],
)  # fmt: skip
def test_what_is_not_one_whole_plain_head_is_left_to_aiohttp(data):
    assert read_head(data) is None


def test_what_is_sent_has_a_place_in_what_was_read():
    sending = Heads().read_sending(SENT + b"hel")
    assert sending is not None
    assert (sending.start, sending.end) == (len(SENT), len(SENT) + 5)
    assert (sending.head.method, sending.head.fields["content-type"]) == ("PUT", "x/y")
    begun = Heads().read_sending(SENT.replace(b"Content-Length: 5\r\n", b"") + b"GET /")
    assert begun is not None
    assert begun.start == begun.end


@pytest.mark.parametrize(
    "line",
    [
        "Transfer-Encoding: chunked", "Expect: 100-continue", "Content-Range: 0-4", "Content-Encoding: gzip", "If-Match: *",
        "Content-Length: 5", "Content-Type: x/y", "Connection: close", "Authorization: a\r\nAuthorization: b",
        "Connection: keep-alive\r\nConnection: close",
    ],
)  # fmt: skip
def test_a_body_that_comes_in_another_way_is_left_to_aiohttp(line):
    assert Heads().read_sending(SENT[:-2] + line.encode() + b"\r\n\r\n") is None


@pytest.mark.parametrize("length", [b"-5", b"+5", b"0x5", b"5, 5", b"", b"123456", b"5 5"])
def test_a_length_that_is_no_number_is_left_to_aiohttp(length):
    assert Heads().read_sending(SENT.replace(b": 5", b": " + length)) is None


NAMES = st.sampled_from([
    "Host", "Accept", "Connection", "Content-Length", "Transfer-Encoding", "X_Y", "Authorization", "X", "Upgrade", "Te"
]) | st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=4)  # fmt: skip
VALUES = st.sampled_from([
    "keep-alive", "close", "0", "5", "chunked", "a, b", "", " ", "h2c"
]) | st.text(st.characters(max_codepoint=255), max_size=6)  # fmt: skip
ENDS = st.sampled_from(["\r\n", "\r\n", "\r\n", "\n", "\r", "\r\n "])
TARGETS = st.sampled_from([
    "/", "/v2/", "/v2/a/b/manifests/v1", "//x/y", "/a?b=c&d", "/%2e%2e/%00", "/;a", "/a|b", "*", "x", "/\\", "/a?b?c"
]) | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=6).map("/".__add__)  # fmt: skip


@st.composite
def heads(draw, methods=("GET", "HEAD", "POST")) -> bytes:
    rows = draw(
        st.lists(st.tuples(NAMES, st.sampled_from([": ", ":", ":\t"]), VALUES, ENDS), max_size=4)
    )
    method = draw(st.sampled_from(methods))
    lines = "".join(f"{name}{colon}{value}{end}" for name, colon, value, end in rows)
    host = draw(st.sampled_from(["Host: a\r\n", ""]))
    return f"{method} {draw(TARGETS)} HTTP/1.1\r\n{host}{lines}\r\n".encode("latin-1")


@settings(max_examples=sized(250, 100_000), deadline=None)
@example(PLAIN)
@given(heads())
def test_what_is_taken_aiohttp_takes_for_the_same_one_request_without_a_body(data):
    head = read_head(data)
    if head is None:
        return
    read = asyncio.run(read_by_aiohttp(data))
    assert len(read) == 1
    message, payload = read[0]
    assert (message.method, message.path) == (head.method, head.target)
    assert payload.is_eof()
    assert not any((message.upgrade, message.chunked))
    assert not (head.is_plain and message.should_close)
    assert fields_of(message) == head.fields


@settings(max_examples=sized(100, 50_000), deadline=None)
@example(SENT, b"hello GET /")
@given(heads(("POST", "PUT")), st.binary(max_size=12))
def test_what_is_taken_with_a_body_aiohttp_takes_for_the_same_request_with_that_body(data, rest):
    sending = Heads().read_sending(data + rest)
    if sending is None or sending.end > len(data + rest):
        return
    head = sending.head
    message, body, left = asyncio.run(read_with_body(data + rest))
    assert (message.method, message.path) == (head.method, head.target)
    assert not any((message.should_close, message.upgrade, message.chunked))
    assert body == (data + rest)[sending.start : sending.end]
    assert left == len(data + rest) - sending.end
    assert fields_of(message) == head.fields


async def read_with_body(data: bytes):
    """Give what aiohttp takes for the first request, its body, and how many bytes it leaves."""
    for size in range(1, len(data) + 1):
        protocol = BaseProtocol(asyncio.get_running_loop())
        parser = HttpRequestParser(protocol, asyncio.get_running_loop(), 2**16)
        messages, _, _ = parser.feed_data(data[:size])
        if messages and messages[0][1].is_eof():
            message, payload = messages[0]
            return message, await payload.read(), len(data) - size
    raise AssertionError("aiohttp waits for more")


def fields_of(message) -> dict[str, str]:
    folded: dict[str, list[str]] = {}
    for name, value in message.headers.items():
        folded.setdefault(name.lower(), []).append(value)
    return {name: ",".join(values) for name, values in folded.items()}


async def read_by_aiohttp(data: bytes):
    protocol = asyncio.Protocol()
    parser = HttpRequestParser(protocol, asyncio.get_running_loop(), 2**16)  # type: ignore[arg-type]
    messages, upgraded, rest = parser.feed_data(data)
    assert not upgraded
    assert not rest
    return messages


def test_what_was_read_is_not_read_again_and_the_memory_of_it_is_bounded():
    known = Heads()
    first = known.read(PLAIN)
    assert known.read(bytes(PLAIN)) is first
    assert known.read(PLAIN + PLAIN) is None
    for number in range(3000):
        known.read(PLAIN.replace(b"a/b", str(number).encode()))
    assert len(known._known) <= 1024
    long = PLAIN.replace(b"a/b", b"a" * 4000)
    assert known.read(long) == read_head(long)
    assert long not in known._known
