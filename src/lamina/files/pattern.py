"""Shell patterns over an image's directories, with `**` for any number of them."""

import re
from fnmatch import translate
from functools import lru_cache

from lamina.layer.entry import Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lamina.files.opened import OpenFiles

__all__ = ["glob", "matches"]

_ANY = "**"


def matches(names: "Sequence[str]", pattern: "Sequence[str]") -> bool:
    """Tell whether a path, as its names, fits a pattern, as its parts."""
    if not pattern:
        return not names
    first, rest = pattern[0], pattern[1:]
    if first == _ANY:
        return any(matches(names[count:], rest) for count in range(len(names) + 1))
    return bool(names) and bool(_fits(first)(names[0])) and matches(names[1:], rest)


def glob(image: "OpenFiles", start: str, pattern: str) -> "Iterator[str]":
    """Give every path below `start` that fits, once, a directory's in order.

    Only directories that can hold a match are read; `**` goes into no symlink.
    Raises: ValueError (the pattern is empty), NotImplementedError (it begins at the root).
    """
    if not pattern:
        raise ValueError("Unacceptable pattern: ''")
    if pattern.startswith("/"):  # pathlib's own error and words, which programs made for it expect
        raise NotImplementedError("Non-relative patterns are unsupported")
    parts = [part for part in pattern.split("/") if part not in ("", ".")]
    seen: set[str] = set()
    for path, is_directory in _below(image, start.rstrip("/"), tuple(parts)):
        if path not in seen and (is_directory or not pattern.endswith("/")):
            seen.add(path)
            yield path or "/"


def _below(
    image: "OpenFiles", folder: str, parts: "tuple[str, ...]"
) -> "Iterator[tuple[str, bool]]":
    """Give what fits `parts` below `folder`, and whether it is a directory, or leads to one."""
    if not parts:
        yield folder, True
        return
    first, rest = parts[0], parts[1:]
    if first == _ANY:
        for path, kind in _walk(image, folder):
            if kind is Kind.DIRECTORY:
                yield from _below(image, path, rest)
            elif not rest:
                yield path, _leads(image, path, kind)
        return
    if not set(first) & set("*?["):
        path = f"{folder}/{first}"
        try:
            kind = image.stat(path, follow=False).kind
        except OSError:
            return
        yield from _go_on(image, path, kind, rest)
        return
    fits = _fits(first)
    for name, kind in _names(image, folder):
        if fits(name):
            yield from _go_on(image, f"{folder}/{name}", kind, rest)


def _go_on(
    image: "OpenFiles", path: str, kind: Kind, rest: "tuple[str, ...]"
) -> "Iterator[tuple[str, bool]]":
    is_directory = _leads(image, path, kind)
    if not rest:
        yield path, is_directory
    elif is_directory:
        yield from _below(image, path, rest)


def _leads(image: "OpenFiles", path: str, kind: Kind) -> bool:
    if kind is Kind.SYMLINK:
        try:
            kind = image.stat(path).kind
        except OSError:
            return False
    return kind is Kind.DIRECTORY


def _walk(image: "OpenFiles", folder: str) -> "Iterator[tuple[str, Kind]]":
    try:
        yield from ((path.rstrip("/"), kind) for path, kind in image.kinds(folder or "/"))
    except OSError:
        return


def _names(image: "OpenFiles", folder: str) -> "list[tuple[str, Kind]]":
    try:
        return image.names(folder or "/")
    except OSError:
        return []


@lru_cache(maxsize=256)
def _fits(part: str) -> "Callable[[str], object]":
    return re.compile(translate(part), re.DOTALL).match
