"""Log in to a registry and out again: check the credentials there, then keep them."""

from lamina.remote.challenge import choose, parse_challenges
from lamina.remote.credentials import Credentials
from lamina.remote.errors import LoginRefused, RegistryFailed, problems
from lamina.remote.messages import Request, Response
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.remote.client import Client
    from lamina.remote.endpoints import Endpoint
    from lamina.remote.keychain import Stored

__all__ = ["LoginResult", "check_login", "login", "logout"]

_UNAUTHORIZED = 401


@dataclass(frozen=True, slots=True)
class LoginResult:
    """A login that worked. `stored` says where it is kept, and whether encrypted."""

    registry: str
    username: str
    stored: "Stored"
    status: str = "Login Succeeded"


def login(client: "Client", registry: str, username: str, password: str) -> LoginResult:
    """Check a name and password at the registry and keep them where docker does.

    A registry that gives an identity token gets that kept instead of the password.
    Raises: LoginRefused, RegistryUnreachable, HelperMissing, ConfigInvalid, ...
    """
    checked = check_login(client, registry, Credentials(username, password))
    stored = client.keychain.store(registry, checked)
    client.authorizer.forget(registry)
    return LoginResult(registry, username, stored)


def logout(client: "Client", registry: str) -> bool:
    """Forget the registry's credentials; tell whether there were any."""
    client.authorizer.forget(registry)
    return client.keychain.erase(registry)


def check_login(client: "Client", registry: str, credentials: Credentials) -> Credentials:
    """Try credentials at the registry; give those to keep. Stores nothing.

    Raises: LoginRefused, RegistryUnreachable, RegistryFailed (no registry there).
    """
    client.memory.note_scheme(registry, "")  # what it was like before counts for nothing now
    endpoint = client.endpoints.find(registry)
    ping = Request("GET", f"{endpoint.url}/v2/")
    response = client.transport.send(ping)
    client.endpoints.trust(endpoint)
    if response.status != _UNAUTHORIZED:
        _expect_registry(response, endpoint)
        return credentials  # it lets everybody in; docker counts that as a login too
    challenge = choose(parse_challenges(response.header("WWW-Authenticate")))
    if challenge is None:
        raise RegistryFailed(
            f'Get "{ping.url}": 401 without a challenge we can answer',
            hint=f"is {registry} a registry? It must offer Bearer or Basic",
        )
    kept = credentials
    if challenge.scheme == "basic":
        header = f"Basic {credentials.basic}"
    else:
        try:
            token = client.authorizer.fetch(
                endpoint, challenge, challenge.scopes, credentials, offline=True
            )
        except LoginRefused as error:
            raise _refused(ping.url, error.message.partition('": ')[2] or error.message) from error
        header = f"Bearer {token.value}"
        if token.refresh and not credentials.identity_token:
            kept = Credentials(credentials.username, identity_token=token.refresh)
    response = client.transport.send(Request("GET", ping.url, {"Authorization": header}))
    if response.status == _UNAUTHORIZED:
        found = problems(response.body)
        cause = str(found[0]) if found else ""
        raise _refused(ping.url, "" if "authentication required" in cause else cause)
    _expect_registry(response, endpoint)
    return kept


def _refused(url: str, cause: str) -> LoginRefused:
    cause = cause or "unauthorized: incorrect username or password"
    return LoginRefused(
        f'Get "{url}": {cause}', hint="check the user name and the password or token"
    )


def _expect_registry(response: Response, endpoint: "Endpoint") -> None:
    """Accept any answer that a registry may give to a ping. Raises: RegistryFailed."""
    if response.is_success or response.status == 403:  # noqa: PLR2004
        return
    raise RegistryFailed(
        f'Get "{endpoint.url}/v2/": {response.status}',
        hint=f"{endpoint.registry} does not answer as a registry does",
    )
