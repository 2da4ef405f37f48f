"""Responses become errors in the words people know."""

import pytest

from lamina import errors
from lamina.remote.errors import (
    AccessDenied,
    BlobUnknown,
    LoginRefused,
    LoginRequired,
    ManifestUnknown,
    Problem,
    Purpose,
    RegistryFailed,
    RegistryLacks,
    RepositoryUnknown,
    RequestRefused,
    TooManyRequests,
    UploadUnknown,
    failure,
    problems,
)
from lamina.remote.messages import Response

PULL = Purpose("pull", "reg.example/a", "reg.example/a:v1", "manifest", "reg.example")
PUSH = Purpose("push", "a/b", "sha256:1", "upload", "docker.io")


def body(code: str, message: str = "") -> bytes:
    return f'{{"errors": [{{"code": "{code}", "message": "{message}", "detail": null}}]}}'.encode()


def fail(
    status: int,
    raw: bytes = b"",
    purpose: Purpose = PULL,
    *,
    credentials: bool = False,
    scheme: str = "bearer",
    **headers: str,
) -> errors.LaminaError:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    response = Response(status, named, raw, "https://reg.example/v2/x?sig=1", "GET")
    return failure(response, purpose, credentials=credentials, scheme=scheme)


def test_error_bodies_are_read_as_far_as_they_go() -> None:
    assert problems(body("MANIFEST_UNKNOWN", "manifest unknown")) == (
        Problem("MANIFEST_UNKNOWN", "manifest unknown"),
    )
    assert problems(b'{"details": "incorrect username or password"}')[0].message.startswith(
        "incorrect"
    )
    assert problems(b'{"errors": [{"code": "DENIED"}, 7, {}]}') == (Problem("DENIED", ""),)
    for raw in (b"", b"<html>", b'{"errors": [{"code": "MANIF', b"[]", b'{"errors": 7}', b"\xff"):
        assert problems(raw) == ()


def test_a_missing_manifest_is_reported_as_docker_does() -> None:
    error = fail(404, body("MANIFEST_UNKNOWN", "manifest unknown"))
    assert isinstance(error, ManifestUnknown)
    assert str(error) == (
        "manifest for reg.example/a:v1 not found: manifest unknown: manifest unknown"
    )


def test_a_missing_repository_blob_and_upload_have_names() -> None:
    unknown = fail(404, body("NAME_UNKNOWN", "repository name not known to registry"))
    assert isinstance(unknown, RepositoryUnknown)
    assert str(unknown).startswith("repository reg.example/a not found: name unknown: ")
    blob = Purpose("pull", "a/b", "sha256:1", "blob", "docker.io")
    assert isinstance(fail(404, body("BLOB_UNKNOWN"), blob), BlobUnknown)
    assert isinstance(fail(404, b"", PUSH), UploadUnknown)


def test_a_refused_pull_says_that_the_name_may_be_wrong_too() -> None:
    raw = body("DENIED", "requested access to the resource is denied")
    for status, kind in ((401, LoginRequired), (403, AccessDenied)):
        error = fail(status, raw)
        assert isinstance(error, kind)
        assert str(error) == (
            "pull access denied for reg.example/a, repository does not exist or may require "
            "'docker login': denied: requested access to the resource is denied"
        )
        assert "lamina login reg.example" in error.hint


def test_a_push_without_a_login_has_no_basic_auth_credentials() -> None:
    error = fail(401, b"", PUSH, scheme="basic")
    assert isinstance(error, errors.Unauthorized)
    assert str(error) == "push access denied for a/b: no basic auth credentials"
    assert error.hint == "check the name, or log in with `lamina login`"


def test_a_login_that_is_not_enough_is_refused_not_required() -> None:
    error = fail(401, b"", PUSH, credentials=True, scheme="basic")
    assert isinstance(error, LoginRefused)
    assert str(error) == "push access denied for a/b: unauthorized: authentication required"


def test_a_rate_limit_shows_what_the_registry_says() -> None:
    raw = body("TOOMANYREQUESTS", "You have reached your pull rate limit")
    error = fail(429, raw, Retry_After="120", ratelimit_limit="100;w=21600")
    assert isinstance(error, TooManyRequests)
    assert str(error) == "toomanyrequests: You have reached your pull rate limit"
    assert "wait 120 s" in error.hint
    assert "100;w=21600" in error.hint
    assert "lamina login" in error.hint


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (500, RegistryFailed), (502, RegistryFailed), (301, RegistryFailed), (400, RequestRefused),
        (413, RequestRefused), (405, RegistryLacks), (501, RegistryLacks), (599, RegistryFailed),
    ],
)  # fmt: skip
def test_other_statuses_keep_method_address_and_status_but_no_query(
    status: int, kind: type[Exception]
) -> None:
    error = fail(status, b"<html><body>Sorry</body></html>")
    assert isinstance(error, kind)
    assert str(error).startswith(f"GET https://reg.example/v2/x: {status}")
    assert "sig" not in str(error)
    assert "<" not in str(error)


def test_an_error_code_in_the_body_counts_more_than_an_odd_status() -> None:
    assert isinstance(fail(400, body("DENIED", "not yours")), AccessDenied)
