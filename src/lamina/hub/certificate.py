"""The hub's own certificate, and the one that takes its place while the hub runs."""

import os
import ssl

from lamina.errors import Invalid
from lamina.hub.settings import HubSettings

__all__ = ["CertificateInvalid", "read_certificate", "renew_certificate"]


class CertificateInvalid(Invalid):
    """Certificate and key cannot be read, or do not belong together."""


def read_certificate(settings: HubSettings) -> ssl.SSLContext | None:
    """Give what TLS needs; None when the hub has no certificate. Blocks.

    Raises: CertificateInvalid.
    """
    if not settings.certificate:
        if settings.key:
            raise CertificateInvalid("a key without a certificate", hint="add --certificate FILE")
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    _load(context, settings)
    return context


def renew_certificate(context: ssl.SSLContext, settings: HubSettings) -> None:
    """Read certificate and key again for connections to come; those that are keep theirs. Blocks.

    They are tried elsewhere first: what is wrong with them leaves the old ones in force.
    Raises: CertificateInvalid.
    """
    _load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), settings)
    _load(context, settings)


def _load(context: ssl.SSLContext, settings: HubSettings) -> None:
    def refuse() -> str:  # OpenSSL would ask the terminal
        raise CertificateInvalid(
            f"the key in {settings.key or settings.certificate} has a password",
            hint="take it off: openssl pkey -in KEY -out KEY.plain",
        )

    for path in filter(None, (settings.certificate, settings.key)):
        if not os.access(path, os.R_OK):
            why = "cannot be read" if os.path.exists(path) else "is not there"
            raise CertificateInvalid(f"{path} {why}", hint="the hub's user must be able to read it")
    try:
        context.load_cert_chain(settings.certificate, settings.key or None, password=refuse)
    except (ssl.SSLError, OSError) as error:
        what = "certificate and key do not belong together"
        if getattr(error, "reason", "") != "KEY_VALUES_MISMATCH":
            what = f"no certificate with its key in {settings.certificate}"
            what += f" and {settings.key}" if settings.key else ""
        raise CertificateInvalid(
            what, hint="both are PEM: first the hub's certificate, then those that signed it"
        ) from error
