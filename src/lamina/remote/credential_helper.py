"""docker-credential-*: programs that keep passwords. Protocol: docker-credential-helpers.

The action is the only argument; the input comes on stdin; failures are words on *stdout*.
"""

from collections.abc import Mapping

from lamina.errors import LaminaError, NotFound, Unavailable
from lamina.remote.credentials import IDENTITY_USER, Credentials
from lamina.spec.wire import decode, encode

__all__ = ["CredentialHelper", "HelperFailed", "HelperMissing"]

_NOT_FOUND = "credentials not found in native keychain"
_TIMEOUT_S = 120.0


class HelperMissing(NotFound):
    """The config names a helper that is not installed."""


class HelperFailed(Unavailable):
    """The helper could not do it: locked, or broken."""


class CredentialHelper:
    """One helper program, `docker-credential-<name>`, found on the PATH of `environ`."""

    def __init__(self, name: str, environ: Mapping[str, str]) -> None:
        self.name = name
        self._environ = environ

    def get(self, server: str) -> Credentials | None:
        """Look up a server; None when the helper knows it not."""
        try:
            output = self._run("get", server.encode())
        except _Unknown:
            return None
        document = decode(output, what=f"output of docker-credential-{self.name}")
        username, secret = document.get("Username"), document.get("Secret")
        if not isinstance(username, str) or not isinstance(secret, str):
            raise HelperFailed(f"docker-credential-{self.name} gave no user name and secret")
        if username == IDENTITY_USER:
            return Credentials(identity_token=secret)
        return Credentials(username, secret) if username or secret else None

    def store(self, server: str, credentials: Credentials) -> None:
        """Keep credentials, an identity token under the user name `<token>`."""
        token = credentials.identity_token
        document = {
            "ServerURL": server,
            "Username": IDENTITY_USER if token else credentials.username,
            "Secret": token or credentials.password,
        }
        self._run("store", encode(document))

    def erase(self, server: str) -> bool:
        """Forget a server; tell whether it was known."""
        try:
            self._run("erase", server.encode())
        except _Unknown:
            return False
        return True

    def list(self) -> dict[str, str]:
        """Give the user name of each server the helper knows, by the server's address."""
        rows = decode(
            self._run("list", b"") or b"{}", what=f"list of docker-credential-{self.name}"
        )
        return {server: str(user) for server, user in rows.items()}

    def _run(self, action: str, given: bytes) -> bytes:
        """Run the helper. Raises: HelperMissing, HelperFailed, _Unknown."""
        import shutil
        import subprocess

        program = f"docker-credential-{self.name}"
        path = shutil.which(program, path=self._environ.get("PATH"))
        if path is None or "/" in self.name:
            raise HelperMissing(
                f"docker's config.json names the credential helper {program}, which is not installed",
                hint=f"install {program}, or remove it from credsStore and credHelpers",
            )
        try:
            done = subprocess.run(
                [path, action],
                input=given,
                capture_output=True,
                timeout=_TIMEOUT_S,
                env=dict(self._environ),
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise HelperFailed(f"{program} {action} failed: {error}") from error
        if done.returncode == 0:
            return done.stdout
        said = done.stdout.decode(errors="replace").strip() or done.stderr.decode(errors="replace")
        if _NOT_FOUND in said:
            raise _Unknown(said)
        raise HelperFailed(
            f"{program} {action} failed: {said.strip() or f'exit code {done.returncode}'}",
            hint="unlock it, or see its own documentation",
        )


class _Unknown(LaminaError):
    """The helper has no such server."""
