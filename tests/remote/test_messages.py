"""Requests and responses as values."""

import pytest

from lamina.remote.messages import Response, origin, without_query


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


def test_addresses_are_shown_without_signatures_and_passwords() -> None:
    assert without_query("https://me:secret@host:1/path?X-Sig=secret#x") == "https://host:1/path"


def test_success_is_two_hundred_and_something() -> None:
    assert [Response(status, {}).is_success for status in (199, 200, 202, 299, 301)] == [
        False, True, True, True, False,
    ]  # fmt: skip
    assert Response(200, {}).header("Missing") == ""
