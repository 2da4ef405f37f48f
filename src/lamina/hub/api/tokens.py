"""Personal access tokens by JSON: `/api/v1/tokens`.

    GET    /api/v1/tokens       {"tokens": [{"id", "name", "targets", "actions", "created_at", …}]}
    POST   /api/v1/tokens       {"name", "actions", "targets"?, "expires_in_days"?} gives 201, "token"
    DELETE /api/v1/tokens/ID    204

Who asks logs in with their password (Basic) or with the refresh token that Docker's clients keep
in its place (Bearer). An access token gets 403, lest it make itself a wider one; cookies count for
nothing, so no form token is needed.
"""

from http import HTTPStatus

from aiohttp import web

from lamina.hub.access import Caller
from lamina.hub.api.answers import days_of, json_answer, noted, read_json, text_of, texts
from lamina.hub.notes import note
from lamina.hub.services import Services
from lamina.hub.tables.access_tokens import AccessToken
from lamina.hub.words import moment
from lamina.spec.wire import Document

__all__ = ["create_token", "list_tokens", "revoke_token"]


async def list_tokens(_: web.Request, services: Services, caller: Caller) -> web.StreamResponse:
    """List the caller's tokens, newest first; never what they are."""
    found = await services.threads.call(services.access_tokens.of, caller.name)
    return json_answer({"tokens": [_row(each) for each in found]})


async def create_token(
    request: web.Request, services: Services, caller: Caller
) -> web.StreamResponse:
    """Make a token; this answer alone tells it."""
    document = await read_json(request, "name", "actions", "targets", "expires_in_days")
    name, days = text_of(document, "name"), days_of(document)
    actions, targets = texts(document, "actions"), texts(document, "targets")

    def work() -> tuple[str, AccessToken]:
        return services.access_tokens.create(
            caller.name, name, actions=actions, targets=targets, expires_in_days=days
        )

    token, made = await services.threads.call(work)
    note(request, "create token", name, account=caller.name)
    return json_answer({**_row(made), "token": token}, HTTPStatus.CREATED)


async def revoke_token(
    request: web.Request, services: Services, caller: Caller
) -> web.StreamResponse:
    """End a token at once."""
    revoked = await services.threads.call(
        services.access_tokens.revoke, caller.name, request.match_info["id"]
    )
    return noted(request, caller, "revoke token", revoked.name)


def _row(token: AccessToken) -> Document:
    return {
        "id": token.id,
        "name": token.name,
        "targets": list(token.targets),
        "actions": list(token.actions),
        "created_at": moment(token.created_at),
        "expires_at": None if token.expires_at is None else moment(token.expires_at),
        "used_at": None if token.used_at is None else moment(token.used_at),
        "used_from": token.used_from,
    }
