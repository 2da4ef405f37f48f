"""Retention rules, quotas, damage and webhooks. Pure."""

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
    one_of,
    record,
    wanted,
)

__all__ = ["OPERATIONS"]

_USUAL = (400, 401, 403, 404, 405, 409, 429)
_TARGET = {"target": TEXT}
_RULE, _PLAN = "/api/v1/retention/rule", "/api/v1/retention/plan"
_NUMBERS = {
    name: maybe(NUMBER)
    for name in ("keep_newest", "pushed_within_days", "pulled_within_days", "untagged_days")
}
_WORDS = {"keep": array(TEXT), "only": array(TEXT)}
_ONE_RULE = record({"target": TEXT, **_NUMBERS, **_WORDS, "changed_at": MOMENT, "changed_by": TEXT})
_DRAFT = wanted({}, **_NUMBERS, **_WORDS)
_PLANNED = Answer(
    "What would go, and how many stay",
    record({
        "going": array(record({
            "repository": TEXT, "reference": TEXT, "digest": TEXT, "size": NUMBER, "since": MOMENT,
            "pulled_at": maybe(MOMENT), "goes": FLAG, "why": TEXT,
        })),
        "staying": NUMBER,
    }),
)  # fmt: skip
_HOOKS = "/api/v1/webhooks"
_HOOK = {
    "id": TEXT, "scope": TEXT, "url": TEXT, "events": array(TEXT), "is_active": FLAG,
    "created_at": MOMENT, "created_by": TEXT,
}  # fmt: skip
_DELIVERY = {
    "id": TEXT, "event_id": TEXT, "event": TEXT, "subject": TEXT, "made_at": MOMENT,
    "next_at": maybe(MOMENT), "attempts": NUMBER, "state": TEXT, "status": maybe(NUMBER),
    "request": TEXT, "body": TEXT, "answer": TEXT, "took_s": {"type": "number"},
}  # fmt: skip
_DAMAGE = {
    "digest": TEXT, "size": NUMBER, "damage": one_of("damaged", "missing"), "found_at": MOMENT,
    "repositories": array(TEXT),
}  # fmt: skip
_QUOTAS = "/api/v1/quotas"
_QUOTA = f"{_QUOTAS}/of"
_LIMIT = {"target": TEXT, "size": maybe(NUMBER), "used": NUMBER, "own": FLAG}
_SENT = Answer("It will be sent soon")

OPERATIONS = (
    Operation(
        "get", "/api/v1/retention", "List every retention rule, for admins",
        {200: Answer("The rules", record({"rules": array(_ONE_RULE)}))}, _USUAL, "full",
    ),
    Operation(
        "get", _RULE, "Show the rule of a repository, a namespace or the hub",
        {200: Answer("The rule", _ONE_RULE)}, _USUAL, "full", query=_TARGET, needed=("target",),
    ),
    Operation(
        "put", _RULE, "Set a rule", {200: Answer("The rule", _ONE_RULE)}, _USUAL, "full",
        query=_TARGET, needed=("target",), body=_DRAFT,
    ),
    Operation(
        "delete", _RULE, "Remove a rule", {204: NOTHING}, _USUAL, "full", query=_TARGET,
        needed=("target",),
    ),
    Operation(
        "get", _PLAN, "Say what a rule would delete now", {200: _PLANNED}, _USUAL, "full",
        query=_TARGET, needed=("target",),
    ),
    Operation(
        "post", _PLAN, "Say what another rule would delete now", {200: _PLANNED}, _USUAL, "full",
        query=_TARGET, needed=("target",), body=_DRAFT,
    ),
    Operation(
        "get", _QUOTAS, "List the quotas, for admins",
        {200: Answer("The quotas", record({"quotas": array(record(_LIMIT))}))}, _USUAL, "full",
    ),
    Operation(
        "get", _QUOTA, "Show how much a target has, and how much it may",
        {
            200: Answer(
                "The quota",
                record({**_LIMIT, "repositories": array(record({"name": TEXT, "used": NUMBER}))}),
            )
        },
        _USUAL, "full", query=_TARGET, needed=("target",),
    ),
    Operation(
        "put", _QUOTA, "Set a quota, for admins",
        {200: Answer("The quota", record({"target": TEXT, "size": NUMBER}))}, _USUAL, "full",
        query=_TARGET, needed=("target",), body=wanted({"size": {"type": "integer", "minimum": 0}}),
    ),
    Operation(
        "delete", _QUOTA, "Remove a quota, for admins", {204: NOTHING}, _USUAL, "full",
        query=_TARGET, needed=("target",),
    ),
    Operation(
        "get", "/api/v1/damaged", "List the blobs that were found damaged or missing, for admins",
        {200: Answer("The blobs, by digest", record({"damaged": array(record(_DAMAGE))}))}, _USUAL,
        "full",
    ),
    Operation(
        "get", _HOOKS, "List the webhooks of a repository or a namespace, one's own without a scope",
        {200: Answer("The webhooks", record({"webhooks": array(record(_HOOK))}))}, _USUAL, "full",
        query={"scope": TEXT},
    ),
    Operation(
        "post", _HOOKS, "Make a webhook",
        {201: Answer("The webhook with its secret, this once", record({**_HOOK, "secret": TEXT}))},
        _USUAL, "full",
        body=wanted({"scope": TEXT, "url": TEXT}, events=array(TEXT), secret=TEXT),
    ),
    Operation(
        "get", f"{_HOOKS}/{{id}}", "Show a webhook with its deliveries, the newest first",
        {200: Answer("The webhook", record({**_HOOK, "deliveries": array(record(_DELIVERY))}))},
        _USUAL, "full",
    ),
    Operation(
        "patch", f"{_HOOKS}/{{id}}", "Rest or wake a webhook", {204: NOTHING}, _USUAL, "full",
        body=wanted({}, is_active=FLAG),
    ),
    Operation("delete", f"{_HOOKS}/{{id}}", "Delete a webhook", {204: NOTHING}, _USUAL, "full"),
    Operation("post", f"{_HOOKS}/{{id}}/test", "Send a test", {202: _SENT}, _USUAL, "full"),
    Operation(
        "post", f"{_HOOKS}/{{id}}/deliveries/{{delivery}}", "Send a delivery once more",
        {202: _SENT}, _USUAL, "full",
    ),
)  # fmt: skip
