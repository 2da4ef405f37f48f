"""Caches and mirrors of other registries. Pure."""

from lamina.hub.api.described.words import (
    FLAG,
    MOMENT,
    NOTHING,
    NUMBER,
    TEXT,
    Answer,
    Operation,
    array,
    maybe,
    record,
    wanted,
)
from lamina.spec.wire import Document

__all__ = ["OPERATIONS"]

_USUAL = (400, 401, 403, 404, 405, 409, 429)
_CACHES = "/api/v1/caches"
_CACHE = {
    "namespace": TEXT, "upstream": TEXT, "username": TEXT, "is_private": FLAG, "is_default": FLAG,
    "fresh_s": NUMBER, "keep_days": NUMBER, "created_at": MOMENT, "created_by": TEXT,
    "rate_limit": maybe(NUMBER), "rate_remaining": maybe(NUMBER),
}  # fmt: skip
_WHOLE: Document = {"type": "integer", "minimum": 0}
_MIRRORS = "/api/v1/mirrors"
_MIRROR = {
    "id": TEXT, "target": TEXT, "source": TEXT, "tags": array(TEXT), "every_hours": NUMBER,
    "deletes": FLAG, "username": TEXT, "next_at": MOMENT, "created_at": MOMENT, "created_by": TEXT,
}  # fmt: skip
_RUN = {
    "id": TEXT, "state": TEXT, "began_at": MOMENT, "ended_at": maybe(MOMENT), "copied": NUMBER,
    "same": NUMBER, "removed": NUMBER, "failed": NUMBER, "size": NUMBER,
}  # fmt: skip
_LAST: Document = {"anyOf": [record(_RUN), {"type": "null"}]}

OPERATIONS = (
    Operation(
        "get", _CACHES, "List the caches of other registries, for admins",
        {200: Answer("The caches", record({"caches": array(record(_CACHE))}))}, _USUAL, "full",
    ),
    Operation(
        "post", _CACHES, "Make a namespace a cache of another registry, for admins",
        {201: Answer("It was made", record(_CACHE))}, _USUAL, "full",
        body=wanted(
            {"namespace": TEXT, "upstream": TEXT}, username=TEXT, password=TEXT, is_private=FLAG,
            is_default=FLAG, fresh_s=_WHOLE, keep_days=_WHOLE,
        ),
    ),
    Operation(
        "delete", f"{_CACHES}/{{namespace}}", "Remove a cache with all that was fetched",
        {204: NOTHING}, _USUAL, "full",
    ),
    Operation(
        "get", _MIRRORS, "List the mirroring rules, for admins",
        {
            200: Answer(
                "The rules", record({"mirrors": array(record({**_MIRROR, "last_run": _LAST}))})
            )
        },
        _USUAL, "full",
    ),
    Operation(
        "post", _MIRRORS, "Have a repository be a copy of another registry's, for admins",
        {201: Answer("The rule", record(_MIRROR))}, _USUAL, "full",
        body=wanted(
            {"target": TEXT, "source": TEXT}, tags=array(TEXT), every_hours=_WHOLE, deletes=FLAG,
            username=TEXT, password=TEXT,
        ),
    ),
    Operation(
        "get", f"{_MIRRORS}/{{id}}", "Show a rule with its runs and their logs",
        {200: Answer("The rule", record({**_MIRROR, "runs": array(record({**_RUN, "log": TEXT}))}))},
        _USUAL, "full",
    ),
    Operation(
        "post", f"{_MIRRORS}/{{id}}/run", "Run a rule now", {202: Answer("It runs within seconds")},
        _USUAL, "full",
    ),
    Operation(
        "delete", f"{_MIRRORS}/{{id}}", "Remove a rule; what was copied stays", {204: NOTHING},
        _USUAL, "full",
    ),
)  # fmt: skip
