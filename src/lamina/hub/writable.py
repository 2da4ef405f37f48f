"""A hub that takes nothing for now: what is refused while database and images are moved or copied.

Whatever a person or a program changes would be missing in the copy without a word, so all of it is refused:
pushes, deletions, accounts, tokens, settings. What a login leaves behind (a session, a refresh token, a
line in the audit log) and counted pulls are written: nobody misses them, and pulls go on.
"""

from aiohttp import web

from lamina.hub.errors import ReadOnly
from lamina.hub.web import SERVICES

__all__ = ["check_writable"]

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_LOGINS = frozenset({"/signin", "/signout", "/token"})


def check_writable(request: web.Request) -> None:
    """Let a request pass that changes nothing, or where changes are taken. Raises: ReadOnly."""
    words = request.app[SERVICES].settings.read_only
    if words and request.method not in _SAFE and request.path not in _LOGINS:
        raise ReadOnly(words)
