"""The byte code of all modules that commands have used, in one file beside the usual ones.

Half of what a short command costs is importing a hundred small modules: for each the import system looks
into folders, takes a lock, asks several finders and opens a file. Here a module's code comes from one
file, and what it imports at its top is made ready before it, without the import system. Each source is still
looked at: one that is newer or of another size than its code is imported the usual way. What a process
imported the usual way goes into the file at its end. Where that one may not be written, the person has one
of their own in the cache folder (`XDG_CACHE_HOME`), believed when nobody else could write it. Where the file
is missing, damaged or of another Python nothing is different but for the time. Decision 1.
"""

from __future__ import annotations

import _thread
import marshal
import os
import sys
from _frozen_importlib import ModuleSpec  # what `importlib.machinery` gives, without `warnings`
from _frozen_importlib_external import SourceFileLoader, cache_from_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType, ModuleType
    from typing import Any

    # Where a module's code lies, its source and that one's time and size, and what must be there before it.
    Row = tuple[int, int, str, bool, int, int, tuple[str, ...]]

__all__ = ["CodeCache"]

_PACKAGE = "lamina"
_HUB = "lamina.hub"  # a server starts seldom, and with much that is not ours
_FORM = 2
_HEAD = 12  # bytes: the form, the length of the table, both big-endian; then Python's own number
_PYC_HEAD = 16
_FEW = 3  # modules that are not worth writing the file for


class CodeCache:
    """A finder of modules. `install` it, `keep` at the end; it is used by one process at a time."""

    def __init__(self, folder: str) -> None:
        """`folder` is the package's own."""
        self._folder = folder
        self._path = self._target = _place(folder)
        if not os.access(os.path.dirname(self._path), os.W_OK):
            self._target = _personal(self._path) or self._path
        self._rows: dict[str, Row] = {}
        self._read_from: tuple[int, int, int] | None = None
        self._served: set[str] = set()
        self._wrong: set[str] = set()

    @classmethod
    def install(cls, folder: str) -> CodeCache:
        """Read the table of the file and serve from it whatever is imported from now on."""
        cache = cls(folder)
        if sys.flags.optimize == 0:
            # One's own has all that the other had, when it was written, and more.
            for path in dict.fromkeys((cache._target, cache._path)):
                try:
                    cache._read_table(path)
                    break
                except (OSError, ValueError, EOFError, TypeError):
                    cache._rows = {}  # none yet, or damaged: it is written anew at the end
            sys.meta_path.insert(0, cache)  # finders need no class
        return cache

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Give the import system a module of ours that is in the file, all it needs already loaded."""
        del path, target
        row = self._rows.get(name)
        if row is None or name in self._wrong:
            return None
        codes = self._codes(self._wanted(name))
        own = codes.pop(name, None)
        if own is None:
            return None
        if _thread._count() == 0:  # noqa: SLF001 - others could see modules half made
            for needed, code in codes.items():
                above = needed.rpartition(".")[0]
                # A package that changed is not in the file: who imports it next has what is in it, too.
                if needed not in sys.modules and (not above or above in sys.modules):
                    self._make(needed, code)
        spec: Any = _spec(name, row)
        spec.loader = _Given(own, spec.loader)
        self._served.add(name)
        found: ModuleSpec = spec
        return found

    def keep(self) -> None:
        """Put into the file what this process imported the usual way. Failing is not an error."""
        if sys.flags.optimize or sys.dont_write_bytecode:
            return
        new = [
            name
            for name in list(sys.modules)
            if name.partition(".")[0] == _PACKAGE
            and (name not in self._rows or name in self._wrong)
            and not name.startswith(_HUB)
        ]
        if len(new) < _FEW and not self._wrong:
            return
        try:
            found = _usual(new)
            if len(found) >= _FEW or self._wrong & {name for name, _, _ in found}:
                self._write(found)
        except (OSError, ValueError, EOFError, TypeError):
            return  # read-only, full, or in the middle of an upgrade

    def _make(self, name: str, code: CodeType) -> None:
        """Do what an import does for a module whose parents and needs are there."""
        spec = _spec(name, self._rows[name])
        module = type(sys)(name)
        module.__dict__.update(__spec__=spec, __loader__=spec.loader, __file__=spec.origin)
        module.__package__ = spec.parent
        if spec.submodule_search_locations is not None:
            module.__path__ = spec.submodule_search_locations
        sys.modules[name] = module
        try:
            exec(code, module.__dict__)  # noqa: S102 - what importing is
        except BaseException:
            del sys.modules[name]
            raise
        parent, _, leaf = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], leaf, module)
        self._served.add(name)

    def _wanted(self, name: str) -> list[str]:
        """List the modules to make for `name`, needs first, itself last."""
        order: list[str] = []
        seen: set[str] = set()
        rows, loaded = self._rows, sys.modules

        def visit(one: str) -> None:
            seen.add(one)
            *_, needs = rows[one]
            for needed in needs:
                if needed not in loaded and needed not in seen:
                    visit(needed)
            order.append(one)

        visit(name)
        return order

    def _codes(self, names: Sequence[str]) -> dict[str, CodeType]:
        """Read the code of each whose source is the one it was made of.

        Where one is not, nothing that may need it is given either: the usual import takes them all.
        """
        codes: dict[str, CodeType] = {}
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return {}
        try:
            if _identity(fd) != self._read_from:  # another process has written a new one
                return {}
            for name in names:
                row = self._rows[name]
                if not _is_of(row):
                    self._wrong.add(name)
                    return {}
                offset, length, *_ = row
                codes[name] = marshal.loads(os.pread(fd, length, offset))  # noqa: S302 - ours, as .pyc are
        except (OSError, ValueError, EOFError, TypeError):
            self._rows = {}
            return {}
        finally:
            os.close(fd)
        return codes

    def _read_table(self, path: str) -> None:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if path != self._path and not _is_ours_alone(fd):
                raise ValueError("others could have written it")
            head = os.read(fd, _HEAD + len(_magic()))
            length = int.from_bytes(head[4:_HEAD], "big")
            if int.from_bytes(head[:4], "big") != _FORM or head[_HEAD:] != _magic():
                raise ValueError("written by another version")
            start = os.fstat(fd).st_size - length
            table = marshal.loads(os.pread(fd, length, start))  # noqa: S302
            if table.pop("") != self._folder:
                raise ValueError("written for another folder")
            self._rows = table
            self._read_from = _identity(fd)
            self._path = path
        finally:
            os.close(fd)

    def _write(self, new: Sequence[tuple[str, Row, bytes]]) -> None:
        """Write the file whole: what is in it and still right, and `new`."""
        rows: dict[str, Row] = {}
        parts: list[bytes] = []
        offset = _HEAD + len(_magic())
        found = [*self._old({name for name, _, _ in new}), *new]
        known = {name for name, _, _ in found}
        for name, (_, _, path, package, modified, size, needs), code in found:
            inside = tuple(one for one in needs if one in known)
            rows[name] = (offset, len(code), path, package, modified, size, inside)
            parts.append(code)
            offset += len(code)
        table = marshal.dumps({"": self._folder, **rows})
        head = _FORM.to_bytes(4, "big") + len(table).to_bytes(_HEAD - 4, "big") + _magic()
        os.makedirs(os.path.dirname(self._target), 0o700, exist_ok=True)
        beside = f"{self._target}.{os.getpid()}~"
        fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            with os.fdopen(fd, "wb") as file:
                file.writelines((head, *parts, table))
            os.replace(beside, self._target)
        except BaseException:
            os.unlink(beside)
            raise

    def _old(self, without: set[str]) -> list[tuple[str, Row, bytes]]:
        if not self._rows:
            return []
        with open(self._path, "rb") as file:
            if _identity(file.fileno()) != self._read_from:
                return []
            data = file.read()
        found = []
        for name, row in self._rows.items():
            offset, length, *_ = row
            if name not in without and _is_of(row):
                found.append((name, row, data[offset : offset + length]))
        return found


class _Given:
    """A loader whose code is at hand; afterwards the module names the usual one."""

    def __init__(self, code: CodeType, usual: object) -> None:
        self._code = code
        self._usual = usual

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave the making of the module to the import system."""

    def exec_module(self, module: ModuleType) -> None:
        """Fill the module."""
        exec(self._code, module.__dict__)  # noqa: S102 - what importing is
        spec: Any = module.__spec__
        module.__loader__ = spec.loader = self._usual  # type: ignore[assignment]


def _spec(name: str, row: Row) -> ModuleSpec:
    _, _, path, is_package, *_ = row
    loader: Any = SourceFileLoader(name, path)
    spec = ModuleSpec(name, loader, origin=path, is_package=is_package)
    spec.has_location = True
    if spec.submodule_search_locations is not None:
        spec.submodule_search_locations.append(os.path.dirname(path))
    return spec


def _usual(names: Sequence[str]) -> list[tuple[str, Row, bytes]]:
    """Give what the import system itself keeps of loaded modules, where it fits their sources."""
    found = []
    for name in names:
        spec = getattr(sys.modules[name], "__spec__", None)
        if spec is None or type(spec.loader) is not SourceFileLoader or not spec.cached:
            continue
        try:
            facts = os.stat(spec.origin)
            code = _compiled(name, spec)
            with open(spec.origin, encoding="utf-8") as file:
                needs = _needs(file.read(), name)
        except (OSError, SyntaxError):
            continue
        of = int(facts.st_mtime), facts.st_size
        if code[:4] != _magic() or code[4:_PYC_HEAD] != b"\0\0\0\0" + _stamp(facts):
            continue  # older than its source, or checked in another way
        package = spec.submodule_search_locations is not None
        found.append((name, (0, 0, spec.origin, package, *of, needs), code[_PYC_HEAD:]))
    return found


def _compiled(name: str, spec: ModuleSpec) -> bytes:
    """Give a module's byte code as a `.pyc` has it, made anew where none is kept."""
    try:
        with open(str(spec.cached), "rb") as file:
            return file.read()
    except FileNotFoundError:
        loader: Any = spec.loader
        stamp = _stamp(os.stat(loader.path))
        code = marshal.dumps(loader.get_code(name))
        return _magic() + bytes(4) + stamp + code


def _stamp(facts: os.stat_result) -> bytes:
    """Give time and size of a source as its `.pyc` has them."""
    numbers = int(facts.st_mtime), facts.st_size
    return b"".join((number & 0xFFFFFFFF).to_bytes(4, "little") for number in numbers)


def _needs(source: str, name: str) -> tuple[str, ...]:
    """Name what a module imports of ours at its top, its parents first.

    Lines that begin with `from lamina` are read: those indented belong to a function or the type checker.
    """
    parts = name.split(".")
    needs = [".".join(parts[:number]) for number in range(1, len(parts))]
    lines = iter(source.splitlines())
    for line in lines:
        if not line.startswith((f"from {_PACKAGE}.", f"from {_PACKAGE} ")):
            continue
        home, _, names = line[len("from ") :].partition(" import ")
        if names.startswith("("):
            for more in lines:
                names += more
                if ")" in more:
                    break
        needs.append(home)
        words = names.partition("#")[0].strip("() ").split(",")
        needs += [f"{home}.{word.split()[0]}" for word in words if word.split()]
    return tuple(dict.fromkeys(needs))


def _is_of(row: Row) -> bool:
    _, _, path, _, modified, size, _ = row
    try:
        facts = os.stat(path)
    except OSError:
        return False
    return int(facts.st_mtime) == modified and facts.st_size == size


def _identity(fd: int) -> tuple[int, int, int]:
    facts = os.fstat(fd)
    return facts.st_dev, facts.st_ino, facts.st_mtime_ns


def _magic() -> bytes:
    from _frozen_importlib_external import MAGIC_NUMBER

    magic: bytes = MAGIC_NUMBER
    return magic


def _place(folder: str) -> str:
    """Give the file's path: where Python puts byte code, with its own version in the name."""
    placed: str = cache_from_source(f"{folder}/commands.py")
    return placed.removesuffix(".pyc") + ".all"


def _personal(place: str) -> str:
    """Give the path of a person's own file instead of `place`; nothing where they have no home."""
    cache = os.environ.get("XDG_CACHE_HOME", "")
    if not cache.startswith("/"):
        home = os.environ.get("HOME", "")
        cache = f"{home}/.cache" if home.startswith("/") else ""
    return f"{cache}/lamina{place}" if cache else ""


def _is_ours_alone(fd: int) -> bool:
    """Tell whether nobody but this user (and root) can have written a file."""
    facts = os.fstat(fd)
    return facts.st_uid == os.geteuid() and not facts.st_mode & 0o022
