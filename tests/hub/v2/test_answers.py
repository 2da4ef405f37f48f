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


def test_missing_blobs_are_all_named():
    answer = error_response(REQUEST, ManifestBlobUnknown(("sha256:a", "sha256:b")))
    assert len(decode(words(answer))["errors"][0]["detail"]) == 2


def test_too_many_attempts_say_when_to_come_back():
    answer = error_response(REQUEST, TooManyAttempts(42))
    assert (answer.status, answer.headers["Retry-After"]) == (429, "42")


def test_our_own_faults_tell_nothing_and_a_full_disk_says_so():
    answer = error_response(REQUEST, ValueError("secret inside"))
    assert answer.status == 500
    assert "secret" not in words(answer)
    answer = error_response(REQUEST, OSError(errno.ENOSPC, "no space"))
    assert (answer.status, "disk is full" in words(answer)) == (503, True)
