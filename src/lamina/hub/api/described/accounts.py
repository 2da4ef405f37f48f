"""Registering, access tokens, robots, search, and the health of the process. Pure."""

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

__all__ = ["OPERATIONS"]

_USUAL = (400, 401, 403, 429)
_ACTIONS = array({"type": "string", "enum": ["pull", "push", "delete"]})
_TOKEN = {
    "id": TEXT, "name": TEXT, "targets": array(TEXT), "actions": _ACTIONS, "created_at": MOMENT,
    "expires_at": maybe(MOMENT), "used_at": maybe(MOMENT), "used_from": TEXT,
}  # fmt: skip
_ROBOT = {
    "name": TEXT, "login": TEXT, "targets": array(TEXT), "actions": _ACTIONS, "created_by": TEXT,
    "created_at": MOMENT, "expires_at": maybe(MOMENT), "used_at": maybe(MOMENT), "used_from": TEXT,
}  # fmt: skip
_DAYS = maybe({"type": "integer", "minimum": 1, "maximum": 3650})
_NEW = wanted({"name": TEXT, "actions": _ACTIONS}, targets=array(TEXT), expires_in_days=_DAYS)
_TOKENS, _ROBOTS = "/api/v1/tokens", "/api/v1/namespaces/{namespace}/robots"
_FOUND = {
    "name": TEXT, "description": TEXT, "star_count": NUMBER, "is_official": FLAG,
    "is_automated": FLAG, "is_trusted": FLAG,
}  # fmt: skip
_PLAIN = "text/plain"

OPERATIONS = (
    Operation(
        "post", "/api/v1/register", "Make an account",
        {201: Answer("It was made", record({"name": TEXT, "admin": FLAG}))}, (400, 403, 409),
        body=wanted({"name": TEXT, "password": TEXT}, invitation=TEXT),
    ),
    Operation(
        "get", _TOKENS, "List one's access tokens, newest first",
        {200: Answer("The tokens, not what they hold", record({"tokens": array(record(_TOKEN))}))},
        _USUAL, "full",
    ),
    Operation(
        "post", _TOKENS, "Make an access token",
        {201: Answer("The token, this once", record({**_TOKEN, "token": TEXT}))},
        _USUAL, "full", body=_NEW,
    ),
    Operation(
        "delete", f"{_TOKENS}/{{id}}", "Revoke an access token", {204: NOTHING}, (*_USUAL, 404),
        "full",
    ),
    Operation(
        "get", _ROBOTS, "List the robots of a namespace",
        {200: Answer("The robots", record({"robots": array(record(_ROBOT))}))}, (*_USUAL, 404),
        "full",
    ),
    Operation(
        "post", _ROBOTS, "Make a robot",
        {201: Answer("The robot with its token, this once", record({**_ROBOT, "token": TEXT}))},
        (*_USUAL, 404, 409), "full", body=_NEW,
    ),
    Operation(
        "post", f"{_ROBOTS}/{{name}}/renew", "Give a robot a new token; the old one ends",
        {200: Answer("The robot with its token, this once", record({**_ROBOT, "token": TEXT}))},
        (*_USUAL, 404), "full", body=wanted({}, expires_in_days=_DAYS),
    ),
    Operation(
        "delete", f"{_ROBOTS}/{{name}}", "Revoke a robot", {204: NOTHING}, (*_USUAL, 404), "full",
    ),
    Operation(
        "get", "/v1/search", "Find repositories, as docker search asks",
        {
            200: Answer(
                "What was found, the last pushed first",
                record({
                    "query": TEXT, "num_results": NUMBER, "num_pages": NUMBER, "page": NUMBER,
                    "page_size": NUMBER, "results": array(record(_FOUND)),
                }),
            )
        },
        (401, 429), "any", query={"q": TEXT, "n": NUMBER},
    ),
    Operation("get", "/healthz", "Whether the process works", {200: Answer("It does", TEXT, _PLAIN)}),
    Operation(
        "get", "/readyz", "Whether anyone should be sent here",
        {
            200: Answer("Yes", TEXT, _PLAIN),
            503: Answer("No, and why, by subject", {"type": "object", "additionalProperties": TEXT}),
        },
    ),
    Operation(
        "get", "/metrics", "Metrics for Prometheus, with the token of the settings",
        {
            200: Answer("The metrics", TEXT, _PLAIN), 401: Answer("Another token", TEXT, _PLAIN),
            404: Answer("No token is set", TEXT, _PLAIN),
        },
    ),
    Operation(
        "get", "/api/openapi.json", "This description",
        {200: Answer("OpenAPI 3.1", {"type": "object"})},
    ),
)  # fmt: skip
