"""Errors as the distribution API words them."""

import errno

import pytest
from aiohttp.test_utils import make_mocked_request

from lamina import errors
from lamina.hub.errors import ManifestBlobUnknown, TooManyAttempts
from lamina.hub.v2.answers import error_response
from lamina.spec.wire import decode

REQUEST = make_mocked_request("GET", "/v2/")


def words(answer) -> str:
    assert isinstance(answer.body, bytes)
    return answer.body.decode()


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (errors.Invalid, 400),
        (errors.NotFound, 404),
        (errors.AlreadyExists, 409),
        (errors.InUse, 405),
        (errors.Denied, 403),
        (errors.Unavailable, 503),
        (errors.Corrupt, 400),
        (errors.Unsupported, 405),
    ],
)
def test_every_kind_of_failure_has_its_status(kind, status):
    answer = error_response(REQUEST, kind("what happened", hint="what to do"))
    (row,) = decode(words(answer))["errors"]
    assert (answer.status, row["message"]) == (status, "what happened")
    assert row["detail"] == {"hint": "what to do"}


@pytest.mark.parametrize(
    ("count", "named", "message"),
    [
        (1, 1, "sha256:0 is missing"),
        (2, 2, "sha256:0 and 1 other are"),
        (10_000, 100, " 9999 others"),
    ],
)
def test_what_is_missing_is_named_up_to_a_hundred_and_counted(count, named, message):
    answer = error_response(
        REQUEST, ManifestBlobUnknown(tuple(f"sha256:{n}" for n in range(count)))
    )
    row = decode(words(answer))["errors"][0]
    assert [each["digest"] for each in row["detail"]] == [f"sha256:{n}" for n in range(named)]
    assert message in row["message"]


def test_too_many_attempts_say_when_to_come_back():
    answer = error_response(REQUEST, TooManyAttempts(42))
    assert (answer.status, answer.headers["Retry-After"]) == (429, "42")


def test_our_own_faults_tell_nothing_and_a_full_disk_says_so():
    answer = error_response(REQUEST, ValueError("secret inside"))
    assert answer.status == 500
    assert "secret" not in words(answer)
    answer = error_response(REQUEST, OSError(errno.ENOSPC, "no space"))
    assert (answer.status, "disk is full" in words(answer)) == (503, True)
