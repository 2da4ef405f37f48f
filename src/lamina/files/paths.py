"""Paths inside an image that feel like `pathlib.Path`, and can only be read."""

import errno
import io
import os
from pathlib import PurePosixPath

from lamina.files.pattern import matches
from lamina.layer.entry import Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import IO, NoReturn

    from lamina.files.facts import FileFacts
    from lamina.files.opened import OpenFiles

    _Row = tuple["TreePath", list[str], list[str]]

__all__ = ["READ_ONLY", "TreePath"]

READ_ONLY = "Read-only: an image is never changed, `lamina commit` makes a new one"


class TreePath:
    """A path in an open image: `image / "etc" / "os-release"`, `image.path.rglob("*.py")`.

    It has pathlib's methods, with pathlib's meaning, but for those that would change something:
    these raise OSError (EROFS). Texts are UTF-8 unless said otherwise: what the machine's locale is
    says nothing of an image. It is no `os.PathLike`, so that nothing opens the file of that name on
    this machine instead. Two are equal if they are the same path of the same image.
    """

    __slots__ = ("_pure", "image")

    def __init__(self, image: "OpenFiles", *parts: "str | os.PathLike[str]") -> None:
        self.image = image
        pure = PurePosixPath("/", *parts)
        self._pure = PurePosixPath(f"/{str(pure)[2:]}") if pure.root == "//" else pure

    def _new(self, pure: "PurePosixPath | str") -> "TreePath":
        return TreePath(self.image, pure)

    # As text. Nothing of this looks into the image.

    def __str__(self) -> str:
        return str(self._pure)

    def __repr__(self) -> str:
        return f"<TreePath {self.image.name} {str(self)!r}>"

    def __hash__(self) -> int:
        return hash((self.image.identity, self._pure))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TreePath):
            return NotImplemented
        return (self.image.identity, self._pure) == (other.image.identity, other._pure)

    def __lt__(self, other: "TreePath") -> bool:
        return self._order(other) and self._pure < other._pure

    def __le__(self, other: "TreePath") -> bool:
        return self._order(other) and self._pure <= other._pure

    def __gt__(self, other: "TreePath") -> bool:
        return self._order(other) and self._pure > other._pure

    def __ge__(self, other: "TreePath") -> bool:
        return self._order(other) and self._pure >= other._pure

    def _order(self, other: object) -> bool:
        if not isinstance(other, TreePath) or other.image.identity != self.image.identity:
            raise TypeError(f"{self!r} and {other!r} have no order: they are not of one image")
        return True

    def __reduce__(self) -> "tuple[object, ...]":
        return TreePath, (self.image, str(self))

    def __truediv__(self, other: "str | os.PathLike[str]") -> "TreePath":
        return self._new(self._pure / other)

    def joinpath(self, *parts: "str | os.PathLike[str]") -> "TreePath":
        """Give the path with `parts` appended; one that begins with a slash begins anew."""
        return self._new(self._pure.joinpath(*parts))

    @property
    def parts(self) -> "tuple[str, ...]":
        """The root and the names."""
        return self._pure.parts

    @property
    def name(self) -> str:
        """The last name; empty for the root."""
        return self._pure.name

    @property
    def stem(self) -> str:
        """The last name without its suffix."""
        return self._pure.stem

    @property
    def suffix(self) -> str:
        """What follows the last dot of the name, with the dot."""
        return self._pure.suffix

    @property
    def suffixes(self) -> "list[str]":
        """Every suffix of the name."""
        return self._pure.suffixes

    @property
    def parent(self) -> "TreePath":
        """The path above; the root's is the root."""
        return self._new(self._pure.parent)

    @property
    def parents(self) -> "Sequence[TreePath]":
        """Every path above, the nearest first."""
        return tuple(self._new(each) for each in self._pure.parents)

    def as_posix(self) -> str:
        """Give the path as text."""
        return str(self)

    def as_uri(self) -> str:
        """Give it as fsspec reads it: `lamina://NAME:/PATH`."""
        from lamina.files.urls import url_of

        return url_of(self.image.name, str(self), layer=self.image.layer)

    def is_absolute(self) -> bool:
        """Tell whether it begins at the root, which each does."""
        return self._pure.is_absolute()

    def with_name(self, name: str) -> "TreePath":
        """Give the path beside, with that name."""
        return self._new(self._pure.with_name(name))

    def with_stem(self, stem: str) -> "TreePath":
        """Give the path beside, with that stem and the same suffix."""
        return self._new(self._pure.with_stem(stem))

    def with_suffix(self, suffix: str) -> "TreePath":
        """Give the path beside, with that suffix."""
        return self._new(self._pure.with_suffix(suffix))

    def is_relative_to(self, other: "TreePath | str") -> bool:
        """Tell whether it is `other`, or below it, by its text."""
        return self._pure.is_relative_to(str(other))

    def relative_to(self, other: "TreePath | str") -> PurePosixPath:
        """Give the way from `other` to here, as text of pathlib's. Raises: ValueError."""
        return self._pure.relative_to(str(other))

    def match(self, pattern: str) -> bool:
        """Tell whether the path fits `pattern`, from the right unless it begins with a slash."""
        return self._pure.match(pattern)

    def full_match(self, pattern: str) -> bool:
        """Tell whether the whole path fits `pattern`, in which `**` stands for any directories."""
        return matches(self.parts[1:], PurePosixPath(pattern).parts[pattern.startswith("/") :])

    # What is there.

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Give what `os.stat` would; `st_dev` is the layer's number. Raises: OSError."""
        return self.image.stat(str(self), follow=follow_symlinks).stat_result()

    def lstat(self) -> os.stat_result:
        """Give it of a symlink itself."""
        return self.stat(follow_symlinks=False)

    @property
    def layer(self) -> int:
        """The number of the layer that this is from, 1 at the bottom."""
        return self.image.stat(str(self), follow=False).layer

    def _facts(self, *, follow: bool = True) -> "FileFacts | None":
        """Give what is there; nothing where nothing is, or something that nobody could reach."""
        try:
            return self.image.stat(str(self), follow=follow)
        except OSError:
            return None

    def _is(self, kind: Kind, *, follow: bool = True) -> bool:
        facts = self._facts(follow=follow)
        return facts is not None and facts.kind is kind

    def exists(self, *, follow_symlinks: bool = True) -> bool:
        """Tell whether something is there; a symlink that leads nowhere is not."""
        return self._facts(follow=follow_symlinks) is not None

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """Tell whether it is a regular file, or leads to one."""
        return self._is(Kind.FILE, follow=follow_symlinks)

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Tell whether it is a directory, or leads to one."""
        return self._is(Kind.DIRECTORY, follow=follow_symlinks)

    def is_symlink(self) -> bool:
        """Tell whether it is a symlink."""
        return self._is(Kind.SYMLINK, follow=False)

    def is_fifo(self) -> bool:
        """Tell whether it is a named pipe."""
        return self._is(Kind.FIFO)

    def is_char_device(self) -> bool:
        """Tell whether it is a character device."""
        return self._is(Kind.CHARACTER)

    def is_block_device(self) -> bool:
        """Tell whether it is a block device."""
        return self._is(Kind.BLOCK)

    def is_socket(self) -> bool:
        """Tell whether it is a socket; layers have none."""
        return False

    def is_mount(self) -> bool:
        """Tell whether something is mounted there; nothing ever is."""
        return False

    def is_junction(self) -> bool:
        """Tell whether it is something of Windows; it is not."""
        return False

    def samefile(self, other: "TreePath | str") -> bool:
        """Tell whether both are one file: the same inode of the same layer. Raises: OSError."""
        if isinstance(other, TreePath) and other.image.identity != self.image.identity:
            return False
        mine, theirs = self.stat(), self._new(str(other)).stat()
        return (mine.st_dev, mine.st_ino) == (theirs.st_dev, theirs.st_ino)

    def readlink(self) -> PurePosixPath:
        """Give what a symlink says: no path of the image yet. Raises: OSError (it is none)."""
        facts = self.image.stat(str(self), follow=False)
        if facts.kind is not Kind.SYMLINK:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), str(self))
        return PurePosixPath(facts.target)

    def resolve(self, strict: bool = False) -> "TreePath":
        """Follow every symlink inside the image, `..` too. Raises: OSError, only with `strict`."""
        rest: list[str] = []
        here = self._pure
        while True:
            try:
                found = self.image.resolve(str(here))
            except OSError:
                if strict or here == here.parent:
                    raise
                rest.insert(0, here.name)
                here = here.parent
            else:
                return self._new(os.path.normpath(PurePosixPath(found, *rest)))

    def absolute(self) -> "TreePath":
        """Give itself: every path begins at the root."""
        return self

    def owner(self) -> str:
        """Give the owner's name, by the image's own /etc/passwd. Raises: KeyError (it has none)."""
        return self._named("/etc/passwd", self.stat().st_uid)

    def group(self) -> str:
        """Give the group's name, by the image's own /etc/group. Raises: KeyError."""
        return self._named("/etc/group", self.stat().st_gid)

    def _named(self, table: str, number: int) -> str:
        try:
            lines = os.fsdecode(self.image.read(table)).splitlines()
        except OSError:
            lines = []
        rows = (line.split(":") for line in lines)
        return next((row[0] for row in rows if row[2:3] == [str(number)]), None) or _unknown(number)

    # What is in it.

    def open(
        self,
        mode: str = "r",
        buffering: int = -1,
        encoding: "str | None" = None,
        errors: "str | None" = None,
        newline: "str | None" = None,
    ) -> "IO[str] | IO[bytes]":
        """Open a file for reading; text is UTF-8 unless `encoding` is given. Raises: OSError."""
        if set(mode) & set("wax+"):
            self._refuse()
        if set(mode) - set("rbt") or "r" not in mode or {"b", "t"} <= set(mode):
            raise ValueError(f"invalid mode: {mode!r}")
        if "b" in mode:
            return self.image.open(str(self), buffer_size=max(buffering, 0))
        file = self.image.open(str(self))
        return io.TextIOWrapper(file, encoding or "utf-8", errors, newline)

    def read_bytes(self) -> bytes:
        """Give a file's content. Raises: OSError."""
        return self.image.read(str(self))

    def read_text(
        self,
        encoding: "str | None" = None,
        errors: "str | None" = None,
        newline: "str | None" = None,
    ) -> str:
        """Give a file's text. Raises: OSError, UnicodeDecodeError."""
        file = self.image.open(str(self))
        with io.TextIOWrapper(file, encoding or "utf-8", errors, newline) as text:
            return text.read()

    def iterdir(self) -> "Iterator[TreePath]":
        """Give what is in a directory, sorted. Raises: OSError."""
        return iter([self._new(self._pure / name) for name, _ in self.image.names(str(self))])

    def glob(self, pattern: str) -> "Iterator[TreePath]":
        """Give each path below that fits, once; `**` stands for any directories, none linked to.

        Names that begin with a dot fit, too, as with pathlib. A pattern that ends with a slash fits
        directories alone.
        """
        from lamina.files.pattern import glob

        return (self._new(each) for each in glob(self.image, str(self), pattern))

    def rglob(self, pattern: str) -> "Iterator[TreePath]":
        """Give each path below, in any directory, that fits."""
        return self.glob(f"**/{pattern}")

    def walk(
        self,
        top_down: bool = True,
        on_error: "Callable[[OSError], object] | None" = None,
        follow_symlinks: bool = False,
    ) -> "Iterator[tuple[TreePath, list[str], list[str]]]":
        """Give each directory with the names of directories and of all else in it, as 3.12 does.

        A symlink into a directory that is being walked already is not followed again.
        """
        todo: list[tuple[TreePath, tuple[TreePath, ...]] | _Row] = [(self, ())]
        while todo:
            item = todo.pop()
            if len(item) == 3:  # noqa: PLR2004 - a row whose directories have been walked
                yield item
                continue
            path, above = item
            try:
                row = path._row(follow=follow_symlinks)  # noqa: SLF001
                if follow_symlinks:
                    above = (*above, path.resolve(strict=True))
            except OSError as error:
                if on_error is not None:
                    on_error(error)
                continue
            if top_down:
                yield row
            else:
                todo.append(row)
            below = [path / name for name in reversed(row[1])]
            todo += [(p, above) for p in below if not above or p.resolve() not in above]

    def _row(self, *, follow: bool) -> "_Row":
        folders: list[str] = []
        others: list[str] = []
        for name, kind in self.image.names(str(self)):
            link = follow and kind is Kind.SYMLINK
            folder = kind is Kind.DIRECTORY or (link and (self / name).is_dir())
            (folders if folder else others).append(name)
        return self, folders, others

    # What would change something.

    def _refuse(self, *_: object, **__: object) -> "NoReturn":
        """Raise OSError (EROFS)."""
        raise OSError(errno.EROFS, READ_ONLY, str(self))

    write_bytes = write_text = touch = mkdir = rmdir = unlink = rename = replace = _refuse
    chmod = lchmod = symlink_to = hardlink_to = _refuse


def _unknown(number: int) -> "NoReturn":
    raise KeyError(f"the image has no name for {number}")
