"""Paths of images in addresses and on pages: bytes that anyone may have chosen. Pure."""

import os
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, urlencode

from lamina.hub.words import visible

__all__ = ["asked", "crumbs", "link", "path_of", "shown", "whole_number"]

_LONGEST = 4096


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


def whole_number(text: str) -> int:
    """Read a small number; 0 for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0  # noqa: PLR2004 - no overflow
