"""Organisations, teams and roles. Pure."""

from lamina.hub.api.described.words import (
    FLAG,
    MOMENT,
    NOTHING,
    NUMBER,
    ROLE,
    TEXT,
    Answer,
    Operation,
    array,
    one_of,
    record,
    wanted,
)

__all__ = ["OPERATIONS"]

_USUAL = (400, 401, 403, 404, 409, 429)
_ALL = "/api/v1/orgs"
_ONE = f"{_ALL}/{{org}}"
_MEMBER = f"{_ONE}/members/{{account}}"
_TEAM = f"{_ONE}/teams/{{team}}"
_IN_TEAM = f"{_TEAM}/members/{{account}}"
_ROLES = "/api/v1/repositories/{name}/roles"
_HOLDER = f"{_ROLES}/{{kind}}/{{holder}}"
_KIND = {"kind": one_of("accounts", "teams")}
_ORG = {
    "name": TEXT, "summary": TEXT, "members_role": ROLE, "new_private": FLAG, "created_at": MOMENT,
    "owner": FLAG,
}  # fmt: skip
_GIVEN = one_of("read", "write", "admin")

OPERATIONS = (
    Operation(
        "get", _ALL, "List the organisations one is in",
        {200: Answer("The organisations", record({"organisations": array(record(_ORG))}))},
        (400, 401, 403, 429), "full",
    ),
    Operation(
        "post", _ALL, "Make an organisation", {201: Answer("It was made", record(_ORG))}, _USUAL,
        "full", body=wanted({"name": TEXT}),
    ),
    Operation(
        "get", _ONE, "Show an organisation, to its members with members and teams",
        {
            200: Answer(
                "The organisation",
                record(
                    _ORG,
                    members=array(record({"name": TEXT, "owner": FLAG, "since": MOMENT})),
                    teams=array(record({"name": TEXT, "members": NUMBER})),
                ),
            )
        },
        _USUAL, "full",
    ),
    Operation(
        "patch", _ONE, "Change an organisation", {204: NOTHING}, _USUAL, "full",
        body=wanted({}, summary=TEXT, members_role=one_of("none", "read", "write"), new_private=FLAG),
    ),
    Operation("delete", _ONE, "Delete an organisation without repositories", {204: NOTHING}, _USUAL, "full"),
    Operation(
        "put", _MEMBER, "Make an account a member, or an owner", {204: NOTHING}, _USUAL, "full",
        body=wanted({}, owner=FLAG), is_body_needed=False,
    ),
    Operation("delete", _MEMBER, "Remove a member", {204: NOTHING}, _USUAL, "full"),
    Operation(
        "post", f"{_ONE}/teams", "Make a team",
        {201: Answer("It was made", record({"name": TEXT, "members": NUMBER}))}, _USUAL, "full",
        body=wanted({"name": TEXT}),
    ),
    Operation(
        "get", _TEAM, "Show a team",
        {
            200: Answer(
                "The team",
                record({
                    "name": TEXT, "members": array(TEXT),
                    "roles": {"type": "object", "additionalProperties": ROLE},
                }),
            )
        },
        _USUAL, "full",
    ),
    Operation("delete", _TEAM, "Delete a team", {204: NOTHING}, _USUAL, "full"),
    Operation("put", _IN_TEAM, "Put a member into a team", {204: NOTHING}, _USUAL, "full"),
    Operation("delete", _IN_TEAM, "Take a member out of a team", {204: NOTHING}, _USUAL, "full"),
    Operation(
        "get", _ROLES, "List who has a role in a repository",
        {
            200: Answer(
                "The roles",
                record({"roles": array(record({"role": _GIVEN}, account=TEXT, team=TEXT))}),
            )
        },
        _USUAL, "full",
    ),
    Operation(
        "put", _HOLDER, "Give an account or a team a role in a repository", {204: NOTHING}, _USUAL,
        "full", body=wanted({"role": _GIVEN}), choices=_KIND,
    ),
    Operation("delete", _HOLDER, "Take a role", {204: NOTHING}, _USUAL, "full", choices=_KIND),
)  # fmt: skip
