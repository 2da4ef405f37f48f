"""Upper directories laid over each other and read as one: a container's, and those frozen below it.

What a container wrote before it was frozen lies in directories of overlayfs's form, too, and the
marks of one count for what lies below it, frozen or of the image. Here they are followed among the
directories themselves, so that readers see one upper directory over the image: what they would see
had nothing ever been frozen. The kernel's fs/overlayfs/namei.c says how: below an absolute redirect
the search goes on from the root of the next directory, below a name with that name.
"""

import os
import stat
from collections.abc import Iterator, Sequence

from lamina.layer.descent import Descent
from lamina.layer.upper import IS_DIRECTORY, IS_FILE, Marks, Owners, Upper, rows_at
from lamina.stream.files import allow_open_files
from lamina.values import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container

    from lamina.layer.stack import MarkSpace

__all__ = ["Uppers", "opened"]

_KEPT = 2048  # directories whose place is remembered
_FDS = 16  # that each of the directories may need at a time
_LEADS_NOWHERE = b"/"


def opened(
    upper: "str | Sequence[str]", *, owners: Owners | None = None, marks: "MarkSpace" = "trusted"
) -> Upper:
    """Open one upper directory, or several, topmost first, as one."""
    paths = (upper,) if isinstance(upper, str) else tuple(upper)
    if len(paths) == 1:
        return Upper(paths[0], owners=owners, marks=marks)
    return Uppers(paths, owners=owners, marks=marks)


class _Found(NamedTuple):
    """Where one path is: in which directories (number, path there), topmost first.

    Of a directory all that are merged; of a file those whose content it borrows, the owner of the
    content last. `below`: the path at which the image's layers go on, if they do.
    """

    places: tuple[tuple[int, bytes], ...]
    status: os.stat_result | None
    below: bytes | None


class Uppers(Upper):
    """Several upper directories as one, topmost first. A context manager."""

    def __init__(
        self,
        paths: Sequence[str],
        *,
        owners: Owners | None = None,
        marks: "MarkSpace" = "trusted",
    ) -> None:
        allow_open_files(len(paths) * _FDS)
        super().__init__(paths[0], owners=owners, marks=marks)
        self._descents = [self._walking, *(Descent(path) for path in paths[1:])]
        self._found: dict[bytes, _Found] = {}

    def __exit__(self, *exception: object) -> None:
        for descent in self._descents[1:]:
            descent.close()
        super().__exit__(*exception)

    def names(self, path: bytes) -> list[bytes]:
        """Give the names in a directory, whiteouts too, sorted; none if it went away meanwhile."""
        return sorted(self._merged(path))

    def fresh(
        self, top: bytes, exclude: "Container[bytes]"
    ) -> Iterator[tuple[int, bytes, bytes, bool]]:
        """Give what is below the directory `top`, as `Upper.fresh` does."""
        stack = [(top + b"/" if top else b"", iter(sorted(self._merged(top).items())))]
        while stack:
            prefix, rows = stack[-1]
            for name, (number, at, kind) in rows:
                path = prefix + name
                if path in exclude:
                    continue
                try:
                    fd = self._descents[number].open(at)
                except (FileNotFoundError, NotADirectoryError):  # went away meanwhile
                    continue
                yield fd, path, name, kind == IS_FILE
                if kind == IS_DIRECTORY and self.marks(path).redirect is None:
                    stack.append((path + b"/", iter(sorted(self._merged(path).items()))))
                    break
            else:
                stack.pop()

    def _merged(self, path: bytes) -> dict[bytes, tuple[int, bytes, int]]:
        """Give the names in a directory: in which directory each is topmost, and what it is there."""
        merged: dict[bytes, tuple[int, bytes, int]] = {}
        for number, at in self._find(path).places:
            for name, kind in self._rows_at(self._descents[number], at):
                merged.setdefault(name, (number, at, kind))
        return merged

    @staticmethod
    def _rows_at(descent: Descent, path: bytes) -> list[tuple[bytes, int]]:
        try:
            fd = descent.open(path)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return list(rows_at(fd))

    def status(self, path: bytes) -> os.stat_result | None:
        """Give what lstat says of `path`, or None if it is in none of them."""
        return self._find(path).status

    def split(self, path: bytes) -> tuple[int, bytes]:
        """Give a descriptor of the directory that holds `path`, good until the next call, and its name."""
        places = self._find(path).places
        if not places:
            raise FileNotFoundError(path)
        number, at = places[0]
        return self._descents[number].split(at)

    def _split_content(self, path: bytes) -> tuple[int, bytes]:
        places = self._find(path).places
        if not places:
            raise FileNotFoundError(path)
        number, at = places[-1]
        return self._descents[number].split(at)

    def marks(self, path: bytes) -> Marks:
        """Give what one upper directory would have noted on `path`."""
        found = self._find(path)
        if not path or found.status is None:
            return Marks()
        is_directory = stat.S_ISDIR(found.status.st_mode)
        if is_directory and found.below is None:
            return Marks(opaque=True)
        metacopy = not is_directory and self._marks_at(found.places[-1]).metacopy
        if not (is_directory or metacopy):
            return Marks()
        if found.below is None:
            return Marks(metacopy=True, redirect=_LEADS_NOWHERE)
        head, _, name = path.rpartition(b"/")
        around = self._find(head).below
        natural = None if around is None else _join(around, name)
        redirect = None if found.below == natural else b"/" + found.below
        return Marks(metacopy=metacopy, redirect=redirect)

    def _find(self, path: bytes) -> _Found:
        """Find where `path` is. No recursion: a hostile container nests deeper than Python goes."""
        known = self._found.get(path)
        return known or self._resolve(path, 0)

    def _resolve(self, path: bytes, first: int) -> _Found:
        """Find `path` from the root of the directories from number `first` on."""
        found: _Found | None = None
        rest: list[bytes] = []
        head = path
        while first == 0 and head and (found := self._found.get(head)) is None:
            head, _, name = head.rpartition(b"/")
            rest.append(name)
        if first or not head:
            head, rest = b"", path.split(b"/")[::-1] if path else []
            roots = tuple((number, b"") for number in range(first, len(self._descents)))
            found = _Found(roots, self._status_at(roots[0]) if roots else None, b"")
        assert found is not None  # noqa: S101 - the root is
        while rest:
            name = rest.pop()
            head = _join(head, name)
            found = self._child(found, name)
            if not first and found.status is not None and stat.S_ISDIR(found.status.st_mode):
                if len(self._found) >= _KEPT:
                    self._found.clear()
                self._found[head] = found
        return found

    def _child(self, parent: _Found, name: bytes) -> _Found:
        """Go one name further, marks followed."""
        places: list[tuple[int, bytes]] = []
        status: os.stat_result | None = None
        if parent.status is not None and not stat.S_ISDIR(parent.status.st_mode):
            return _Found((), None, None)
        for number, above in parent.places:
            place = number, _join(above, name)
            here = self._status_at(place)
            if here is None:
                continue
            if status is not None and stat.S_IFMT(here.st_mode) != stat.S_IFMT(status.st_mode):
                return _Found(tuple(places), status, None)  # hides what is below, whatever it is
            status = status or here
            places.append(place)
            marks = self._marks_at(place) if _may_lead_on(here) else None
            if marks is None or marks.opaque or (stat.S_ISREG(here.st_mode) and not marks.metacopy):
                return _Found(tuple(places), status, None)
            if marks.redirect is not None and marks.redirect.startswith(b"/"):
                rest = self._resolve(marks.redirect[1:], number + 1)
                return self._continued(places, status, rest)
            name = name if marks.redirect is None else marks.redirect
        below = None if parent.below is None else _join(parent.below, name)
        return _Found(tuple(places), status, below)

    def _continued(
        self, places: list[tuple[int, bytes]], status: os.stat_result, rest: _Found
    ) -> _Found:
        """Go on with what a redirect from the root leads to."""
        other = rest.status
        if other is not None and stat.S_IFMT(other.st_mode) != stat.S_IFMT(status.st_mode):
            return _Found(tuple(places), status, None)
        return _Found((*places, *rest.places), status, rest.below)

    def _status_at(self, place: tuple[int, bytes]) -> os.stat_result | None:
        number, path = place
        descent = self._descents[number]
        try:
            if not path:
                return os.fstat(descent.open(b""))
            fd, name = descent.split(path)
            return os.lstat(name, dir_fd=fd)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _marks_at(self, place: tuple[int, bytes]) -> Marks:
        number, path = place
        try:
            fd, name = self._descents[number].split(path)
        except (FileNotFoundError, NotADirectoryError):
            return Marks()
        return self.read_marks(fd, name)


def _may_lead_on(status: os.stat_result) -> bool:
    """Tell whether what lies below may count: a directory's, a file's content."""
    return stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode)


def _join(head: bytes, name: bytes) -> bytes:
    return head + b"/" + name if head else name
