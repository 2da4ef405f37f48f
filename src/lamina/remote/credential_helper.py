"""docker-credential-*: programs that keep passwords. Protocol: docker-credential-helpers.

The action is the only argument; the input comes on stdin; failures are words on *stdout*.
"""

from collections.abc import Mapping
from contextlib import suppress

from lamina.errors import Invalid, LaminaError, NotFound, Unavailable
from lamina.remote.credentials import IDENTITY_USER, Credentials
from lamina.spec.wire import decode, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from subprocess import Popen

__all__ = ["CredentialHelper", "HelperFailed", "HelperMissing"]

_NOT_FOUND = "credentials not found in native keychain"
_TIMEOUT_S = 120.0
_MOST_SAID = 1024 * 1024
_SHOWN = 400


class HelperMissing(NotFound):
    """The config names a helper that is not installed."""


class HelperFailed(Unavailable):
    """The helper could not do it: locked, or broken."""


class CredentialHelper:
    """One helper program, `docker-credential-<name>`, found on the PATH of `environ`."""

    def __init__(
        self, name: str, environ: Mapping[str, str], *, timeout_s: float = _TIMEOUT_S
    ) -> None:
        self.name = name
        self._environ = environ
        self._timeout_s = timeout_s

    def get(self, server: str) -> Credentials | None:
        """Look up a server; None when the helper knows it not."""
        try:
            output = self._run("get", server.encode())
        except _Unknown:
            return None
        try:
            document = decode(output, what=f"output of docker-credential-{self.name}")
        except Invalid as error:
            raise HelperFailed(
                str(error),
                hint=f"see what it says: echo {server} | docker-credential-{self.name} get",
            ) from error
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

        program = f"docker-credential-{self.name}"
        path = shutil.which(program, path=self._environ.get("PATH"))
        if path is None or "/" in self.name:
            raise HelperMissing(
                f"docker's config.json names the credential helper {program}, which is not installed",
                hint=f"install {program}, or remove it from credsStore and credHelpers",
            )
        try:
            code, out, err = _asked([path, action], given, self._environ, self._timeout_s)
        except TimeoutError as error:
            raise HelperFailed(
                f"{program} {action} failed: {error}",
                hint="it may be waiting for somebody to unlock it",
            ) from error
        except OSError as error:
            raise HelperFailed(f"{program} {action} failed: {error.strerror or error}") from error
        if code == 0:
            return out
        said = out.decode(errors="replace").strip() or err.decode(errors="replace").strip()
        if _NOT_FOUND in said:
            raise _Unknown(said)
        why = said[:_SHOWN] or (f"exit code {code}" if code > 0 else f"ended by signal {-code}")
        raise HelperFailed(
            f"{program} {action} failed: {why}", hint="unlock it, or see its own documentation"
        )


def _asked(
    argv: list[str], given: bytes, environ: Mapping[str, str], timeout_s: float
) -> tuple[int, bytes, bytes]:
    """Run a program; give its exit code and what it said. Raises: TimeoutError, OSError.

    It has so long for all of it and may say a mebibyte. Whoever holds its streams open after that,
    a child of it that lives on, is not waited for.
    """
    import subprocess

    with subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(environ),
        bufsize=0,
    ) as process:
        try:
            assert process.stdin is not None  # noqa: S101 - PIPE above
            with suppress(BrokenPipeError):  # it answers without having listened
                process.stdin.write(given)
            process.stdin.close()
            out, err = _heard(process, timeout_s)
            return process.wait(timeout_s), out, err
        except subprocess.TimeoutExpired as error:
            process.kill()
            raise TimeoutError(f"it does not end within {timeout_s:g} s") from error
        except BaseException:
            process.kill()
            raise


def _heard(process: "Popen[bytes]", timeout_s: float) -> tuple[bytes, bytes]:
    """Read both streams to their ends. Raises: TimeoutError, OSError (more than anybody says)."""
    import os
    from selectors import EVENT_READ, DefaultSelector
    from time import monotonic

    assert process.stdout is not None  # noqa: S101 - piped
    assert process.stderr is not None  # noqa: S101 - piped
    said = {process.stdout.fileno(): b"", process.stderr.fileno(): b""}
    deadline = monotonic() + timeout_s
    with DefaultSelector() as selector:
        for fd in said:
            selector.register(fd, EVENT_READ)
        while selector.get_map():
            ready = selector.select(max(0.0, deadline - monotonic()))
            if not ready:
                raise TimeoutError(f"no answer within {timeout_s:g} s")
            for key, _ in ready:
                piece = os.read(key.fd, 65536)
                said[key.fd] += piece
                if not piece:
                    selector.unregister(key.fd)
                if len(said[key.fd]) > _MOST_SAID:
                    raise OSError("it says more than a mebibyte")
    return said[process.stdout.fileno()], said[process.stderr.fileno()]


class _Unknown(LaminaError):
    """The helper has no such server."""
