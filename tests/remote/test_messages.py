"""Requests and responses as values."""

from urllib.parse import quote, urljoin, urlsplit

import pytest

from lamina.remote.messages import Response, joined, origin, quoted, split_url, without_query


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://Registry.Example/v2/", ("https", "registry.example", 443)),
        ("http://127.0.0.1:5000/x", ("http", "127.0.0.1", 5000)),
        ("http://[::1]/x", ("http", "::1", 80)),
    ],
)
def test_an_origin_has_scheme_host_and_port(url: str, expected: tuple[str, str, int]) -> None:
    assert origin(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:5000/v2/a/b/blobs/uploads/1234?_state=ab-_c%3D%3D&x=1",
        "HTTPS://User:pa%40ss@Host.Example:443/v2/?a=b?c=/d@e",
        "http://host?query=http://other/", "http://host", "http://host/", "http://host/a#fragment",
        "http://[::1]:5000/v2/", "/v2/only/a/path?x=http://y", "//host/path", "", "http:/one", "a b://c",
        "http://host/with blank?é", "ftp+ssh://host/x", "http://h/\n",
    ],
)  # fmt: skip
def test_addresses_come_apart_as_the_standard_library_takes_them(url: str) -> None:
    parts = urlsplit(url)
    assert split_url(url) == (parts.scheme, parts.netloc, parts.path, parts.query)
    assert quoted(url) == quote(url, safe="")
    assert quoted(url, "/:") == quote(url, safe="/:")
    base = "http://registry.example:5000/v2/name/blobs/uploads/"
    assert joined(base, url) == urljoin(base, url)


@pytest.mark.parametrize(
    "address", ["../x", "/a/../b", "/a/./b", "?only=query", "x/y", "/..", "/.a"]
)
def test_relative_addresses_are_completed_as_a_browser_would(address: str) -> None:
    base = "http://registry.example:5000/v2/name/blobs/uploads/"
    assert joined(base, address) == urljoin(base, address)


@pytest.mark.parametrize("url", ["http://host:x/", "http://host:70000/", "http://host:-1/"])
def test_what_is_no_port_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="port"):
        origin(url)


def test_addresses_are_shown_without_signatures_and_passwords() -> None:
    assert without_query("https://me:secret@host:1/path?X-Sig=secret#x") == "https://host:1/path"


def test_success_is_two_hundred_and_something() -> None:
    assert [Response(status, {}).is_success for status in (199, 200, 202, 299, 301)] == [
        False, True, True, True, False,
    ]  # fmt: skip
    assert Response(200, {}).header("Missing") == ""
