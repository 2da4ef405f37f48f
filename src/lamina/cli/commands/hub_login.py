"""Asking a hub's `/api/v1/` with the login that `lamina login` kept: what `lamina hub …` share."""

from __future__ import annotations

from lamina.cli.flags import Flag
from lamina.errors import Denied, Invalid, NotFound, Unauthorized

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.spec.wire import Document

__all__ = ["HUB", "ask"]

HUB = Flag("hub", value="HOST:PORT", help="Address of the hub", default="127.0.0.1:5000")
"""The hub that `ask` asks."""


def ask(
    arguments: Arguments,
    context: Context,
    method: str,
    path: str,
    document: Document | None = None,
) -> Document:
    """Ask the hub of `--hub` for `/api/v1` and `path`; give its answer, empty where it has none.

    Raises: Unauthorized, Denied, NotFound, Invalid.
    """
    from lamina.cli.commands.login import registry_of
    from lamina.remote.client import Client
    from lamina.remote.messages import Request
    from lamina.spec.wire import decode, encode

    registry = registry_of((arguments.text("hub"),))
    with Client(context.settings) as client:
        kept = client.keychain.get(registry)
        if kept is None:
            raise Unauthorized(
                f"not logged into {registry}", hint=f"log in with: lamina login {registry}"
            )
        login = f"Bearer {kept.identity_token}" if kept.identity_token else f"Basic {kept.basic}"
        endpoint = client.endpoints.find(registry)
        response = client.transport.send(
            Request(
                method,
                f"{endpoint.url}/api/v1{path}",
                {"Authorization": login, "Content-Type": "application/json"},
                None if document is None else encode(document),
                retry=method != "POST",
            )
        )
    if response.is_success:
        return decode(response.body) if response.body else {}
    try:
        answer = decode(response.body)
    except Invalid:
        answer = {}
    kinds = {401: Unauthorized, 403: Denied, 404: NotFound}
    kind = kinds.get(response.status, Invalid)
    message = answer.get("error") or f"{registry} answered {response.status}: is it a Lamina hub?"
    raise kind(str(message), hint=str(answer.get("hint", "")))
