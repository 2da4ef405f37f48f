"""Register by JSON; say whether the process is up."""

from http import HTTPStatus

from aiohttp import web

from lamina.errors import Denied, LaminaError
from lamina.hub.api.answers import read_json, text_of
from lamina.hub.errors import FormInvalid, NameTaken, ReadOnly
from lamina.hub.notes import note
from lamina.hub.tables.accounts import Account
from lamina.hub.web import SERVICES
from lamina.hub.writable import check_writable
from lamina.spec.wire import Document, encode

__all__ = ["health", "register"]


def _json(document: Document, status: int) -> web.Response:
    return web.Response(body=encode(document), status=status, content_type="application/json")


async def health(request: web.Request) -> web.StreamResponse:
    """Say that the process answers and its database can be read."""
    services = request.app[SERVICES]
    await services.threads.call(
        services.database.read, lambda connection: connection.execute("SELECT 1").fetchone()
    )
    return web.Response(text="ok\n", headers={"Cache-Control": "no-store"})


async def register(request: web.Request) -> web.StreamResponse:
    """Make an account from `{"name": …, "password": …}`, and `"invitation"` where one is needed.

    Answers 201, 400 with what is wrong by field, 409 when the name is taken. A request from a page
    of another site cannot send JSON without being asked first, so no form token is needed.
    """
    services = request.app[SERVICES]
    try:
        check_writable(request)
        name, password, invitation = await _wanted(request)

        def work() -> Account:
            return services.links.enter(
                name, password, invitation=invitation, mode=services.settings.registration
            )

        account = await services.threads.call_slow(work)
    except FormInvalid as error:
        return _json({"error": error.message, "fields": error.fields}, HTTPStatus.BAD_REQUEST)
    except NameTaken as error:
        fields = {"name": error.message}
        return _json({"error": error.message, "fields": fields}, HTTPStatus.CONFLICT)
    except ReadOnly as error:
        return _json({"error": error.message}, HTTPStatus.METHOD_NOT_ALLOWED)
    except Denied as error:
        return _json({"error": error.message}, HTTPStatus.FORBIDDEN)
    except LaminaError as error:
        return _json({"error": error.message}, HTTPStatus.BAD_REQUEST)
    note(request, "register", account.name, account=account.name)
    return _json({"name": account.name, "admin": account.is_admin}, HTTPStatus.CREATED)


async def _wanted(request: web.Request) -> tuple[str, str, str]:
    document = await read_json(request, "name", "password", "invitation")
    name, password = text_of(document, "name"), text_of(document, "password")
    return name, password, text_of(document, "invitation", "")
