"""Whom TLS trusts per registry: the system, SSL_CERT_FILE, and docker's certs.d folders."""

import os
from collections.abc import Iterable, Mapping

from lamina.errors import Invalid
from lamina.settings import home_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl

__all__ = ["certificate_folders", "context_for"]

_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)


def certificate_folders(
    host: str, docker_config: str, environ: Mapping[str, str]
) -> tuple[str, ...]:
    """List the certs.d folders of a registry (`host` or `host:port`), docker's and podman's."""
    home = home_of(environ)
    config = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    bases = ("/etc/docker", "/etc/containers", docker_config, os.path.join(config, "containers"))
    return tuple(os.path.join(base, "certs.d", host) for base in bases)


def context_for(
    hosts: Iterable[str],
    docker_config: str,
    environ: Mapping[str, str],
    *,
    verify: bool,
    authorities: Iterable[str] = (),
) -> "ssl.SSLContext":
    """Make the TLS context for a registry: `*.crt` are authorities, `*.cert` + `*.key` are ours.

    `hosts` are the names its folders may have, `authorities` more files of certificates.

    Without `verify` any certificate is taken: for registries that could as well speak plain http.
    Raises: Invalid (a file that is no certificate, or a certificate without its key).
    """
    import ssl

    context = ssl.create_default_context()
    context.minimum_version = (
        ssl.TLSVersion.TLSv1_2
    )  # some builds of Python leave it to OpenSSL's file
    _load_system(context, environ)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    for path in authorities:
        _load_authorities(context, path)
    for host in hosts:
        for folder in certificate_folders(host, docker_config, environ):
            _load_folder(context, folder)
    return context


def _load_system(context: "ssl.SSLContext", environ: Mapping[str, str]) -> None:
    """Load what OpenSSL itself does not find: another environment's file, a moved bundle."""
    import ssl

    paths = ssl.get_default_verify_paths()
    named = environ.get("SSL_CERT_FILE")
    if named:
        _load_authorities(context, named)
    elif not environ.get("SSL_CERT_DIR") and not (paths.cafile or paths.capath):
        for bundle in _BUNDLES:
            if os.path.exists(bundle):
                _load_authorities(context, bundle)
                return


def _load_folder(context: "ssl.SSLContext", folder: str) -> None:
    try:
        names = sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    for name in names:
        path = os.path.join(folder, name)
        if name.endswith(".crt"):
            _load_authorities(context, path)
        elif name.endswith(".cert"):
            _load_own(context, path)


def _load_authorities(context: "ssl.SSLContext", path: str) -> None:
    import ssl

    try:
        context.load_verify_locations(path)
    except (OSError, ssl.SSLError) as error:
        raise Invalid(f"cannot read certificates from {path}: {error}") from error


def _load_own(context: "ssl.SSLContext", path: str) -> None:
    import ssl

    key = path.removesuffix(".cert") + ".key"
    if not os.path.exists(key):
        raise Invalid(
            f"missing key {os.path.basename(key)} for client certificate {path}",
            hint="certificates of authorities must end in .crt",
        )
    try:
        context.load_cert_chain(path, key)
    except (OSError, ssl.SSLError) as error:
        raise Invalid(f"cannot use the client certificate {path}: {error}") from error
