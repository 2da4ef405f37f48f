"""Requests and answers in a story: those that happened, in their order, without what is secret."""

from __future__ import annotations

from lamina.events import Admitted, Exchanged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.explaining.page import Page

__all__ = ["Conversation", "answer_of", "request_of", "target_of"]

_UNAUTHORISED = 401
_CREDENTIALS = {"bearer": "the token", "basic": "name and password"}
_WORDS = {
    200: "OK", 201: "Created", 202: "Accepted", 206: "Partial Content", 301: "Moved Permanently",
    302: "Found", 303: "See Other", 307: "Temporary Redirect", 308: "Permanent Redirect",
    400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 416: "Range Not Satisfiable", 429: "Too Many Requests",
    500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable",
}  # fmt: skip


def target_of(exchanged: Exchanged) -> str:
    """Give what was asked about: a tag, a digest, or `uploads`."""
    _, _, path = exchanged.url.partition("/v2/")
    for kind in ("/manifests/", "/blobs/"):
        if kind in path:
            return path.rpartition(kind)[2].partition("/")[0]
    return path


def request_of(exchanged: Exchanged) -> str:
    """Write a request as one line."""
    url = exchanged.url
    before, uploads, ident = url.partition("/blobs/uploads/")
    if uploads and ident:
        url = f"{before}{uploads}{ident[:8]}…"
    query = "&".join(f"{key}={value}" for key, value in exchanged.query.items())
    along = []
    if exchanged.scheme:
        along.append(_CREDENTIALS.get(exchanged.scheme.lower(), exchanged.scheme))
    if exchanged.sent > 0:
        along.append(f"{exchanged.sent} bytes")
    more = f"  (with {' and '.join(along)})" if along else ""
    return f"{exchanged.method} {url}{'?' + query if query else ''}{more}"


def answer_of(exchanged: Exchanged) -> str:
    """Write an answer as one line: the status, and the headers that matter for it."""
    status, headers = exchanged.status, exchanged.headers
    words = [f"{status} {_WORDS.get(status, '')}".rstrip()]
    if status == _UNAUTHORISED and "www-authenticate" in headers:
        words.append(f"WWW-Authenticate: {headers['www-authenticate']}")
    elif "location" in headers and status // 100 == 3:  # noqa: PLR2004 - a redirect
        words.append(f"Location: {headers['location']}")
    elif exchanged.method in ("GET", "HEAD") and status // 100 == 2:  # noqa: PLR2004
        if kind := headers.get("content-type"):
            words.append(kind)
        if part := headers.get("content-range"):
            words.append(part)
        elif size := headers.get("content-length"):
            words.append(f"{size} bytes")
    if "/manifests/" in exchanged.url and (digest := headers.get("docker-content-digest")):
        words.append(digest)
    return ", ".join(words)


class Conversation:
    """What was said on the wire and is not told yet."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._waiting: list[Exchanged | Admitted] = []
        self._told_remembered = False

    def hear(self, deed: Exchanged | Admitted) -> None:
        """Keep one deed until it is its turn."""
        self._waiting.append(deed)

    @property
    def asked(self) -> tuple[Exchanged, ...]:
        """The exchanges that wait to be told."""
        return tuple(each for each in self._waiting if isinstance(each, Exchanged))

    def know_login(self) -> None:
        """Note that the reader knows where the token comes from."""
        self._told_remembered = True

    def take(self) -> tuple[Exchanged | Admitted, ...]:
        """Give what waits, which counts as told."""
        taken, self._waiting = tuple(self._waiting), []
        return taken

    def tell(self, deeds: tuple[Exchanged | Admitted, ...] | None = None) -> None:
        """Tell `deeds`, or all that waits, in their order."""
        taken = self.take() if deeds is None else deeds
        for number, deed in enumerate(taken):
            if isinstance(deed, Admitted):
                self._admit(deed)
                continue
            self._remember(deed, taken[:number])
            self._foresee(deed, taken[:number], taken[number + 1 : number + 2])
            self._page.exchange("→", request_of(deed))
            self._page.exchange("←", answer_of(deed))
            if deed.status == _UNAUTHORISED and "www-authenticate" in deed.headers:
                self._challenged(deed)

    def _remember(self, deed: Exchanged, before: tuple[Exchanged | Admitted, ...]) -> None:
        """Say where a token came from that nobody was seen to ask for."""
        is_new = any(isinstance(each, Admitted) for each in before)
        if deed.scheme.lower() == "bearer" and not is_new and not self._told_remembered:
            self._told_remembered = True
            self._page.say(
                "A token that an earlier command got is still good, so nobody has to be asked for one."
            )

    def _foresee(
        self,
        deed: Exchanged,
        before: tuple[Exchanged | Admitted, ...],
        after: tuple[Exchanged | Admitted, ...],
    ) -> None:
        """Say why a token is asked for that nobody was seen to want."""
        is_asked = any(isinstance(each, Admitted) and each.realm == deed.url for each in after)
        refused = any(
            isinstance(each, Exchanged) and each.status == _UNAUTHORISED for each in before
        )
        if is_asked and not refused:
            self._page.say(
                "An earlier command learned who gives out tokens for this registry, so that one is "
                "asked first."
            )

    def _challenged(self, deed: Exchanged) -> None:
        if deed.scheme:
            self._page.say("That was not enough: the answer names what would be.")
        elif deed.headers["www-authenticate"].lower().startswith("bearer"):
            self._page.say(
                "The registry lets nobody in without a token, and names who gives one (realm), for "
                "which service, and the scope that it has to be good for."
            )
        else:
            self._page.say("The registry wants a name and a password with each request.")

    def _admit(self, deed: Admitted) -> None:
        self._told_remembered = True
        who = (
            f"for the account {deed.account} (`lamina login` keeps how to prove that)"
            if deed.account
            else "for anybody, without an account"
        )
        scopes = " ".join(deed.scopes) or "nothing in particular"
        self._page.say(
            f"That was a token {who}, good for {deed.lifetime_s:.0f} seconds. It was asked for with the "
            f"scope {scopes}; a registry may grant less. The token is a secret and is not shown: "
            "from now on it goes along as `Authorization: Bearer …`."
        )
