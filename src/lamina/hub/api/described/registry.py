"""The registry's interface, and its tokens. Pure.

Spec: OCI distribution-spec 1.1, and the distribution project's token authentication.
"""

from lamina.hub.api.described.words import (
    ANYTHING,
    ERRORS,
    NUMBER,
    PAGE,
    TEXT,
    Answer,
    Operation,
    array,
    record,
)
from lamina.spec.wire import Document

__all__ = ["OPERATIONS"]

_USUAL = (400, 401, 403, 404, 405, 429, 503)
_MANIFEST = "/v2/{name}/manifests/{reference}"
_BLOB = "/v2/{name}/blobs/{digest}"
_UPLOADS = "/v2/{name}/blobs/uploads/"
_UPLOAD = "/v2/{name}/blobs/uploads/{upload}"
_BYTES: Document = {}
_OCTETS = "application/octet-stream"
_DIGEST = ("Docker-Content-Digest",)
_PLACE = ("Location", "Range", "Docker-Upload-UUID")
_MADE = Answer("It is there", headers=("Location", *_DIGEST))
_HEAD = {200: Answer("The head alone")}
_GONE = Answer("It will be gone")
_GOES_ON = Answer("Go on there", headers=_PLACE)
_KNOWN = Answer("You have it", headers=_DIGEST)
_ELSEWHERE = Answer("The bytes are there", headers=("Location",))
_INDEX = "application/vnd.oci.image.index.v1+json"
_REFERRER = {"mediaType": TEXT, "digest": TEXT, "size": NUMBER}
_TOKEN = {"token": TEXT, "access_token": TEXT, "expires_in": NUMBER, "issued_at": TEXT}


def _operation(
    method: str, path: str, summary: str, answers: dict[int, Answer], **more: object
) -> Operation:
    errors = more.pop("errors", _USUAL)
    return Operation(
        method, path, summary, answers, errors, "any", error=ERRORS, **more,  # type: ignore[arg-type]
    )  # fmt: skip


OPERATIONS = (
    _operation("get", "/v2/", "Whether this is a registry and the login is good", {200: Answer("Yes", record({}))}),
    _operation(
        "get", "/v2/_catalog", "List the repositories one may see",
        {200: Answer("The repositories", record({"repositories": array(TEXT)}))}, query=PAGE,
    ),
    _operation(
        "get", "/v2/{name}/tags/list", "List the tags of a repository",
        {200: Answer("The tags", record({"name": TEXT, "tags": array(TEXT)}))}, query=PAGE,
    ),
    _operation("head", "/v2/_catalog", "Ask for no more than the head of it", _HEAD, query=PAGE),
    _operation("head", "/v2/{name}/tags/list", "Whether the repository is there", _HEAD, query=PAGE),
    _operation(
        "get", _MANIFEST, "Pull a manifest by tag or digest",
        {200: Answer("The manifest", _BYTES, ANYTHING, _DIGEST), 304: _KNOWN},
        headers=("If-None-Match",),
    ),
    _operation(
        "head", _MANIFEST, "Whether a manifest is there",
        {200: Answer("It is", headers=_DIGEST), 304: _KNOWN}, headers=("If-None-Match",),
    ),
    _operation(
        "put", _MANIFEST, "Push a manifest", {201: _MADE}, errors=(*_USUAL, 413),
        body=_BYTES, body_kind="application/vnd.oci.image.manifest.v1+json",
    ),
    _operation("delete", _MANIFEST, "Delete a tag, or a manifest with all its tags", {202: _GONE}),
    _operation(
        "get", _BLOB, "Pull a blob, or a part of it",
        {
            200: Answer("The blob", _BYTES, _OCTETS, _DIGEST),
            206: Answer("The part", _BYTES, _OCTETS, ("Content-Range",)), 304: _KNOWN,
            307: _ELSEWHERE,
            416: Answer("The part is not in it", _BYTES, _OCTETS, ("Content-Range",)),
        },
        headers=("Range", "If-Range", "If-None-Match"),
    ),
    _operation(
        "head", _BLOB, "Whether a blob is there", {200: Answer("It is", headers=_DIGEST), 304: _KNOWN},
        headers=("If-None-Match",),
    ),
    _operation("delete", _BLOB, "Take a blob from a repository", {202: _GONE}),
    _operation(
        "post", _UPLOADS, "Begin an upload, mount a blob, or push one at once",
        {201: _MADE, 202: _GOES_ON}, query={"digest": TEXT, "mount": TEXT, "from": TEXT},
        body=_BYTES, body_kind=_OCTETS, is_body_needed=False, errors=(*_USUAL, 409),
    ),
    _operation("get", _UPLOAD, "How far an upload is", {204: _GOES_ON}),
    _operation("head", _UPLOAD, "How far an upload is", {204: _GOES_ON}),
    _operation(
        "patch", _UPLOAD, "Append to an upload", {202: _GOES_ON}, headers=("Content-Range",),
        body=_BYTES, body_kind=_OCTETS, is_body_needed=False, errors=(*_USUAL, 409, 416),
    ),
    _operation(
        "put", _UPLOAD, "End an upload: it becomes a blob", {201: _MADE}, query={"digest": TEXT},
        headers=("Content-Range",), body=_BYTES, body_kind=_OCTETS, is_body_needed=False,
        errors=(*_USUAL, 409, 416),
    ),
    _operation("delete", _UPLOAD, "Give an upload up", {204: Answer("It is gone")}),
    _operation(
        "get", "/v2/{name}/referrers/{digest}", "List what is attached to a manifest",
        {
            200: Answer(
                "An index of what is",
                record({
                    "schemaVersion": NUMBER, "mediaType": TEXT,
                    "manifests": array(record(
                        _REFERRER, artifactType=TEXT,
                        annotations={"type": "object", "additionalProperties": TEXT},
                    )),
                }),
                _INDEX,
            )
        },
        query={"artifactType": TEXT, **PAGE},
    ),
    _operation(
        "head", "/v2/{name}/referrers/{digest}", "Whether this registry lists what is attached", _HEAD,
        query={"artifactType": TEXT, **PAGE},
    ),
    Operation(
        "get", "/token", "Trade a login for a short token",
        {200: Answer("The token", record(_TOKEN, refresh_token=TEXT))}, (400, 401, 405, 429, 503), "any",
        query={
            "service": TEXT, "scope": array(TEXT), "client_id": TEXT, "account": TEXT,
            "offline_token": TEXT,
        },
        error=ERRORS,
    ),
    Operation(
        "post", "/token", "Trade a password or a refresh token for a short token, as OAuth 2 puts it",
        {200: Answer("The token", record(_TOKEN, scope=TEXT, refresh_token=TEXT))}, (400, 401, 405, 429, 503),
        body={
            "type": "object",
            "properties": dict.fromkeys(("grant_type", "service", "scope", "client_id", "access_type", "username", "password", "refresh_token"), TEXT),
        },
        body_kind="application/x-www-form-urlencoded", error=ERRORS,
    ),
    Operation(
        "get", "/.well-known/jwks.json", "The keys that short tokens are signed with",
        {200: Answer("A JWKS", record({"keys": array({"type": "object", "additionalProperties": TEXT})}))},
    ),
)  # fmt: skip
