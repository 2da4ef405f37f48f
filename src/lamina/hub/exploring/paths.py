"""Paths of images in addresses and on pages: bytes that anyone may have chosen. Pure."""

import os
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl, quote, urlencode

from lamina.errors import Invalid
from lamina.hub.words import visible

__all__ = ["asked", "check_names", "crumbs", "link", "number_in", "path_of", "shown", "words_in"]

_LONGEST = 4096
_MOST_WORDS = 200


def asked(raw_query: str) -> dict[str, str]:
    """Read a query of which values may be no UTF-8: those bytes are lone surrogates, as `os.fsdecode` has them."""
    pairs = parse_qsl(raw_query, keep_blank_values=True, errors="surrogateescape")
    return dict(reversed(pairs))


def path_of(text: str) -> bytes:
    """Give the path in a layer that a person means: no slash at either end, no dots."""
    try:
        data = os.fsencode(text[:_LONGEST])
    except UnicodeEncodeError:  # half a letter that stands for no byte
        data = text[:_LONGEST].encode("utf-8", "replace")
    parts = [part for part in data.split(b"/") if part not in (b"", b".")]
    kept: list[bytes] = []
    for part in parts:
        if part == b"..":
            del kept[-1:]
        else:
            kept.append(part)
    return b"/".join(kept)


def shown(path: bytes | str) -> str:
    r"""Give a path to look at: what is no letter is written out, as `\xff`, line ends too."""
    data = os.fsencode(path) if isinstance(path, str) else path
    text = data.decode("utf-8", "backslashreplace")
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


def link(base: str, path: bytes | str, more: Mapping[str, object] | None = None) -> str:
    """Give the address of a page about `path`, which leads back to its very bytes."""
    data = os.fsencode(path) if isinstance(path, str) else path
    query = {name: value for name, value in (more or {}).items() if value}
    rest = f"&{urlencode(query)}" if query else ""
    return f"{base}?path={quote(data, safe='/')}{rest}"


def crumbs(path: bytes) -> list[tuple[str, bytes]]:
    """Give each directory above and at `path`: what to show, and its path."""
    parts = path.split(b"/") if path else []
    return [(shown(part), b"/".join(parts[: at + 1])) for at, part in enumerate(parts)]


def number_in(query: Mapping[str, str], name: str, *, least: int) -> int:
    """Read a number of a query; `least` where it is not there. Raises: Invalid."""
    text = query.get(name, "")
    if not text:
        return least
    is_number = text.isascii() and text.isdigit() and len(text) < 10  # noqa: PLR2004 - no overflow
    if not is_number or int(text) < least:
        raise Invalid(f"`{name}={shown(text[:40])}` is no number from {least} on")
    return int(text)


def words_in(query: Mapping[str, str]) -> str:
    """Read what is searched for. Raises: Invalid (it is too long)."""
    words = query.get("q", "").strip()
    if len(words) > _MOST_WORDS:
        raise Invalid(f"`q` has {len(words)} letters, and {_MOST_WORDS} are searched for")
    return words


def check_names(query: Mapping[str, str], known: Sequence[str]) -> None:
    """See that a query asks for nothing that nobody answers. Raises: Invalid."""
    for name in query:
        if name not in known:
            raise Invalid(
                f"`{shown(name[:40])}` cannot be asked for here",
                hint=f"what can: {', '.join(known)}",
            )
