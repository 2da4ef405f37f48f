"""Repositories themselves. Pure."""

from lamina.hub.api.described.words import (
    FLAG,
    MOMENT,
    NOTHING,
    NUMBER,
    TEXT,
    Answer,
    Operation,
    array,
    record,
    wanted,
)

__all__ = ["OPERATIONS"]

_USUAL = (400, 401, 403, 404, 405, 409, 429)
_ALL = "/api/v1/repositories"
_ONE = f"{_ALL}/of"
_NAME = {"name": TEXT}
_ROW = {
    "name": TEXT, "private": FLAG, "summary": TEXT, "tags": NUMBER, "pulls": NUMBER,
    "created_at": MOMENT, "updated_at": MOMENT,
}  # fmt: skip

OPERATIONS = (
    Operation(
        "get", _ALL, "List a namespace's repositories, one's own where none is named",
        {200: Answer("Some of them", record({"repositories": array(record(_ROW)), "more": FLAG}))},
        _USUAL, "any",
        query={"namespace": TEXT, "page": {"type": "integer", "minimum": 1, "maximum": 1_000_000}},
    ),
    Operation(
        "post", _ALL, "Make a repository without content", {201: Answer("It was made", record(_ROW))},
        _USUAL, "any", body=wanted({"name": TEXT}, private=FLAG, summary=TEXT),
    ),
    Operation(
        "get", _ONE, "Show a repository with its README",
        {200: Answer("The repository", record({**_ROW, "readme": TEXT}))}, _USUAL, "any",
        query=_NAME, needed=("name",),
    ),
    Operation(
        "patch", _ONE, "Describe a repository, or make it private or public", {204: NOTHING}, _USUAL,
        "any", query=_NAME, needed=("name",),
        body=wanted({}, private=FLAG, summary=TEXT, readme=TEXT),
    ),
    Operation(
        "delete", _ONE, "Delete a repository with all its tags and images", {204: NOTHING}, _USUAL,
        "any", query=_NAME, needed=("name",),
    ),
)  # fmt: skip
