"""Who we are to each registry: docker's config.json, its credential helpers, podman's auth.json.

A login made here works for `docker`, and docker's works here. Reading looks at, in turn:
DOCKER_AUTH_CONFIG, REGISTRY_AUTH_FILE, docker's config.json, podman's auth.json, ~/.dockercfg.
Writing goes to docker's config.json or the helper it names.
"""

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from lamina.errors import Invalid, Unavailable
from lamina.remote.credential_helper import CredentialHelper, HelperFailed
from lamina.remote.credentials import Credentials
from lamina.settings import home_of
from lamina.spec.wire import Document, decode, encode_pretty
from lamina.values import dataclass

__all__ = ["ConfigInvalid", "Keychain", "Stored", "server_key"]

_HUB = "docker.io"
_HUB_KEY = "https://index.docker.io/v1/"
_HUB_NAMES = frozenset({_HUB, "index.docker.io", "registry-1.docker.io"})
_MODE = 0o600


class ConfigInvalid(Invalid):
    """A credentials file is not what it should be; we neither guess nor overwrite."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Where credentials went: the helper's name, or the file that has them unencrypted."""

    place: str
    encrypted: bool


def server_key(registry: str) -> str:
    """Give the name under which docker keeps a registry's credentials."""
    return _HUB_KEY if registry in _HUB_NAMES else registry


class Keychain:
    """Look up, store and erase credentials. `docker_config` is the folder of config.json."""

    def __init__(self, docker_config: str, *, environ: Mapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ
        self.path = os.path.join(docker_config, "config.json")
        self._lock = threading.Lock()

    def get(self, registry: str, repository: str = "") -> Credentials | None:
        """Give the credentials for a registry; None means anonymous.

        An entry for `registry/namespace` (podman's kind) beats the registry's own when it fits
        `repository`. Raises: ConfigInvalid, HelperMissing, HelperFailed.
        """
        for document in self._documents():
            helper = _helper_name(document, registry)
            found = self._from_helper(helper, registry) if helper else None
            found = found or _from_auths(document.get("auths"), registry, repository)
            if found is not None:
                return found
        return None

    def store(self, registry: str, credentials: Credentials) -> Stored:
        """Keep credentials where docker would: in the helper that serves the registry, else the file.

        Other keys of the file are kept; it appears whole or not at all, readable by its owner only.
        Raises: ConfigInvalid, HelperMissing, HelperFailed, Unavailable (cannot write).
        """
        key = server_key(registry)
        with self._changing() as document:
            helper = _helper_name(document, registry)
            entry: Document = {}
            if helper:
                CredentialHelper(helper, self._environ).store(key, credentials)
            else:
                entry = _entry_for(credentials)
            auths = document.setdefault("auths", {})
            for name in _names_of(auths, registry):
                del auths[name]
            auths[key] = entry
        return Stored(helper or self.path, encrypted=bool(helper))

    def erase(self, registry: str) -> bool:
        """Forget a registry, in the helper and in the file; tell whether it was known."""
        key = server_key(registry)
        known = False
        if not os.path.exists(self.path):
            return False
        with self._changing() as document:
            helper = _helper_name(document, registry)
            if helper:
                keeper = CredentialHelper(helper, self._environ)
                known = keeper.erase(key)
                for address in _old_addresses(keeper, registry):
                    known = keeper.erase(address) or known
            auths = document.get("auths")
            for name in _names_of(auths, registry) if isinstance(auths, dict) else ():
                known = known or not helper
                del document["auths"][name]
        return known

    def _from_helper(self, name: str, registry: str) -> Credentials | None:
        """Ask a helper by docker's key, then by the older addresses it has for the registry."""
        helper = CredentialHelper(name, self._environ)
        found = helper.get(server_key(registry))
        if found is None:
            for address in _old_addresses(helper, registry):
                found = found or helper.get(address)
        return found

    def _documents(self) -> Iterator[Document]:
        """Give every source that exists, the most specific first."""
        inline = self._environ.get("DOCKER_AUTH_CONFIG")
        if inline:
            yield _decode(inline.encode(), "DOCKER_AUTH_CONFIG")
        for path in self._paths():
            raw = _read(path)
            if raw:
                document = _decode(raw, path)
                yield {"auths": document} if path.endswith(".dockercfg") else document

    def _paths(self) -> Iterator[str]:
        env = self._environ
        if env.get("REGISTRY_AUTH_FILE"):
            yield env["REGISTRY_AUTH_FILE"]
        yield self.path
        home = home_of(env)
        if env.get("XDG_RUNTIME_DIR"):
            yield os.path.join(env["XDG_RUNTIME_DIR"], "containers", "auth.json")
        config = env.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
        yield os.path.join(config, "containers", "auth.json")
        yield os.path.join(home, ".dockercfg")

    @contextmanager
    def _changing(self) -> Iterator[Document]:
        """Read config.json, let the caller change it, write it if it changed.

        The folder is locked meanwhile, so that two logins at once both count.
        """
        import fcntl

        folder = os.path.dirname(os.path.realpath(self.path))
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            folder_fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise _unwritable(self.path, error) from error
        try:
            with self._lock:
                fcntl.flock(folder_fd, fcntl.LOCK_EX)
                raw = _read(self.path)
                before = _decode(raw, self.path) if raw else {}
                document = _decode(raw, self.path) if raw else {}
                yield document
                if document != before:
                    try:
                        _replace(os.path.realpath(self.path), _written(document))
                    except OSError as error:
                        raise _unwritable(self.path, error) from error
        finally:
            os.close(folder_fd)


def _unwritable(path: str, error: OSError) -> Unavailable:
    return Unavailable(
        f"cannot write {path}: {error.strerror}",
        hint="DOCKER_CONFIG names the folder of docker's config.json",
    )


def _written(document: Document) -> bytes:
    """Lay out as docker does: tabs, no newline at the end."""
    import re  # only those who log in write it

    text = encode_pretty(document, indent=1)
    return re.sub(r"^ +", lambda match: "\t" * len(match[0]), text, flags=re.MULTILINE).encode()


def _replace(path: str, raw: bytes) -> None:
    """Write a file that appears whole, with the mode the old one had (0600 when new).

    The caller holds the folder's lock: what a killed login left beside it is written over.
    """
    try:
        mode = os.stat(path).st_mode & 0o7777
    except FileNotFoundError:
        mode = _MODE
    scratch = f"{path}.lamina~"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(scratch, flags, _MODE)
    try:
        with os.fdopen(fd, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        os.replace(scratch, path)
    except BaseException:
        os.unlink(scratch)
        raise


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return b""
    except OSError as error:
        raise ConfigInvalid(f"cannot read {path}: {error.strerror}") from error


def _decode(raw: bytes, what: str) -> Document:
    try:
        document = decode(raw.strip() or b"{}", what=what)
    except Invalid as error:
        raise ConfigInvalid(str(error), hint="repair or remove it, then log in again") from error
    if not isinstance(document.get("auths", {}), dict | None):
        raise ConfigInvalid(
            f"`auths` in {what} is not an object", hint="repair or remove it, then log in again"
        )
    if document.get("auths") is None:
        document.pop("auths", None)
    return document


def _helper_name(document: Document, registry: str) -> str:
    helpers = document.get("credHelpers")
    if isinstance(helpers, dict):
        names = (server_key(registry), *(_HUB_NAMES if registry in _HUB_NAMES else (registry,)))
        for name in names:
            if isinstance(helpers.get(name), str):
                return str(helpers[name])
    store = document.get("credsStore")
    return store if isinstance(store, str) else ""


def _from_auths(auths: object, registry: str, repository: str) -> Credentials | None:
    """Find the entry that fits best: longest namespace first, then docker's key, then old URLs."""
    if not isinstance(auths, dict):
        return None
    names = [registry, *(_HUB_NAMES - {registry} if registry in _HUB_NAMES else ())]
    parts = repository.split("/") if repository else []
    keys = [f"{n}/{'/'.join(parts[:i])}" for i in range(len(parts), 0, -1) for n in names]
    keys += [server_key(registry), *_names_of(auths, registry)]
    for key in keys:
        entry = auths.get(key)
        found = _from_entry(entry) if isinstance(entry, dict) else None
        if found is not None:
            return found
    return None


def _old_addresses(helper: CredentialHelper, registry: str) -> list[str]:
    """List the addresses with scheme and path under which a helper knows the registry."""
    try:
        rows = helper.list()
    except (HelperFailed, Invalid):  # an old one that cannot list
        return []
    return [name for name in _names_of(rows, registry) if name != server_key(registry)]


def _names_of(auths: Mapping[str, object], registry: str) -> list[str]:
    """List the keys that mean the registry: bare, or an old URL with scheme and path."""
    wanted = _HUB_NAMES if registry in _HUB_NAMES else {registry}
    return [key for key in auths if _host_of(key) in wanted]


def _host_of(key: str) -> str:
    scheme, mark, rest = key.partition("://")
    host, _, path = (rest if mark else scheme).partition("/")
    old_api = path.rstrip("/") in ("", "v1", "v2")
    return host if old_api else key


def _entry_for(credentials: Credentials) -> Document:
    entry: Document = {}
    if credentials.username:  # docker refuses an `auth` without a user name
        entry["auth"] = credentials.basic
    if credentials.identity_token:
        entry["identitytoken"] = credentials.identity_token
    return entry


def _from_entry(entry: Document) -> Credentials | None:
    def text(name: str) -> str:
        value = entry.get(name)
        return value if isinstance(value, str) else ""

    basic = Credentials.from_basic(text("auth")) if text("auth") else None
    username = basic.username if basic else text("username")
    password = basic.password if basic else text("password")
    if text("registrytoken"):
        return Credentials(username, password, registry_token=text("registrytoken"))
    if text("identitytoken"):
        return Credentials(username, "", identity_token=text("identitytoken"))
    return Credentials(username, password) if username else None
