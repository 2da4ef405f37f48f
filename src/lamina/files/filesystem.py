"""Images as a file system of fsspec's, registered as `lamina://`. Needs fsspec: `pip install lamina[fsspec]`.

pandas.read_csv("lamina://myapp:1/srv/table.csv")
fsspec.open("simplecache::lamina://myapp:1/srv/large")
fsspec.filesystem("lamina", image="debian:12").glob("/etc/*.conf")
"""

import errno
import os
from datetime import UTC, datetime
from hashlib import sha256
from operator import itemgetter

from fsspec.callbacks import DEFAULT_CALLBACK
from fsspec.spec import AbstractBufferedFile, AbstractFileSystem
from fsspec.utils import isfilelike, stringify_path

from lamina.errors import NotFound
from lamina.files.opened import OpenFiles, open_files
from lamina.files.paths import READ_ONLY
from lamina.files.urls import PREFIX, known_here, split_url, url_of
from lamina.layer.entry import Kind
from lamina.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from lamina.files.facts import FileFacts

__all__ = ["LaminaFileSystem"]

_TYPES = {Kind.FILE: "file", Kind.DIRECTORY: "directory", Kind.SYMLINK: "link"}
_NANO = 10**9
_PIECE = 1024 * 1024


class LaminaFileSystem(AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
    """One image or container. Paths begin at its root: `/etc/os-release`.

    What `ls` and `info` say: name, size, type, mode, uid, gid, mtime, ino, nlink, layer, islink and,
    of a symlink, destination. A symlink to a file counts as that file, with its size; one to a
    directory is a `link` in listings, so that nothing walks in a circle, and leads on when its own path
    is asked for. All that would change something raises OSError (EROFS).

    Instances are not cached, for a name may mean another image the next time. Pickled, they are the
    same image again or an error.
    """

    protocol = "lamina"
    root_marker = "/"
    cachable = False

    def __init__(
        self,
        image: "str | OpenFiles" = "",
        layer: "int | str" = "",
        platform: str = "",
        root: str = "",
        remote: "bool | str | None" = None,
        **options: "Any",
    ) -> None:
        """Open `image`, a name or an ID, or take one that is open.

        `layer` shows one layer alone, `platform` chooses among an image's, `root` is another root
        folder than LAMINA_ROOT says, `remote` reads at the registry, or never does (see `lamina.open`).
        Raises: FileNotFoundError (no such image), Invalid, Corrupt.
        """
        super().__init__(**options)
        if isinstance(image, OpenFiles):
            self.image: OpenFiles = image
            return
        if not image:
            raise ValueError(
                "lamina:// needs an image: lamina://debian:12/etc, or image='debian:12'"
            )
        settings = Settings.from_environment()
        if root:
            settings = Settings.from_environment({**os.environ, "LAMINA_ROOT": root})
        if isinstance(remote, str):  # of a URL
            remote = remote.lower() in ("1", "true", "yes")
        try:
            self.image = open_files(
                OpenFiles, settings, image, layer=layer, platform=platform, remote=remote
            )
        except NotFound as error:
            raise FileNotFoundError(
                errno.ENOENT, f"{error.message}; {error.hint}", image
            ) from error

    def __reduce__(self) -> "tuple[object, ...]":
        return type(self), (self.image,)

    @property
    def fsid(self) -> str:
        """What is the same for the same content, on every machine and in every process."""
        return f"lamina-{self.image.id}-{self.image.layer or 'all'}"

    def __dask_tokenize__(self) -> str:
        return self.fsid

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LaminaFileSystem) and other.image.identity == self.image.identity

    def __hash__(self) -> int:
        return hash(self.image.identity)

    @classmethod
    def _strip_protocol(cls, path: "Any") -> "Any":
        if isinstance(path, list):
            return [cls._strip_protocol(each) for each in path]
        text = stringify_path(path)
        if text.startswith(PREFIX):
            return split_url(text, known_here).path
        return "/" + text.strip("/")

    @staticmethod
    def _get_kwargs_from_urls(path: str) -> "dict[str, str]":
        place = split_url(path, known_here)
        return {"image": place.name, **place.options} if place.name else {}

    def unstrip_protocol(self, name: str) -> str:
        """Give the whole URL of a path."""
        if name.startswith(PREFIX):
            return name
        return url_of(self.image.name, name, layer=self.image.layer)

    # What is there.

    def info(self, path: str, **_: object) -> "dict[str, Any]":
        """Give what is known of a path, symlinks followed. Raises: OSError."""
        path = self._strip_protocol(path)
        own = self.image.stat(path, follow=False)
        if own.kind is not Kind.SYMLINK:
            return _row(path, own)
        try:
            return _row(path, self.image.stat(path), own)
        except OSError:  # it leads nowhere, or round and round; it is there all the same
            return _row(path, own)

    def ls(self, path: str, detail: bool = True, **_: object) -> "list[Any]":
        """List a directory; of anything else, itself. Raises: OSError."""
        path = self._strip_protocol(path)
        try:
            found = self.image.listdir(path)
        except NotADirectoryError:
            return [self.info(path) if detail else path]
        prefix = path.rstrip("/")
        if not detail:
            return [f"{prefix}/{name}" for name, _ in found]
        return [self._listed(f"{prefix}/{name}", facts) for name, facts in found]

    def find(
        self,
        path: str,
        maxdepth: "int | None" = None,
        withdirs: bool = False,
        detail: bool = False,
        **options: "Any",
    ) -> "Any":
        """Give every path below that is no directory; in one walk, without `maxdepth`."""
        if maxdepth is not None:
            return super().find(path, maxdepth, withdirs, detail, **options)
        path = self._strip_protocol(path)
        try:
            if not detail:
                kinds = self.image.kinds(path)
                return sorted(n for n, kind in kinds if withdirs or kind is not Kind.DIRECTORY)
            rows = [
                row
                for row in self.image.walk(path)
                if withdirs or row[1].kind is not Kind.DIRECTORY
            ]
        except OSError:  # nothing is there
            return {} if detail else []
        return {name: self._listed(name, facts) for name, facts in sorted(rows, key=itemgetter(0))}

    def du(
        self,
        path: str,
        total: bool = True,
        maxdepth: "int | None" = None,
        withdirs: bool = False,
        **options: "Any",
    ) -> "Any":
        """Give the bytes of files below, each file once: symlinks and further names count nothing."""
        seen = set()
        sizes = {}
        for name, row in self.find(path, maxdepth, withdirs, detail=True, **options).items():
            key = (row["layer"], row["ino"])
            if row["islink"] or key in seen:
                sizes[name] = 0
            else:
                sizes[name] = row["size"]
                seen.add(key)
        return sum(sizes.values()) if total else sizes

    def exists(self, path: str, **_: object) -> bool:
        """Tell whether something is there, as a disk does: not a symlink that leads nowhere.

        A registry that does not answer says neither, so that is raised.
        """
        try:
            self._facts(path)
        except OSError:
            return False
        return True

    def isfile(self, path: str) -> bool:
        """Tell whether it is a file, or leads to one."""
        try:
            return self._facts(path).kind is Kind.FILE
        except OSError:
            return False

    def lexists(self, path: str, **_: object) -> bool:
        """Tell whether something is there, if only a symlink that leads nowhere."""
        try:
            self.image.stat(self._strip_protocol(path), follow=False)
        except OSError:
            return False
        return True

    def expand_path(
        self,
        path: "Any",
        recursive: bool = False,
        maxdepth: "int | None" = None,
        **options: "Any",
    ) -> "list[str]":
        """Give all paths that are meant. What was not named itself and has no bytes is left out.

        These are devices, pipes and symlinks that do not lead to a file.
        """
        found = super().expand_path(path, recursive, maxdepth, **options)
        named = path if isinstance(path, list) else [path]
        asked = {self._strip_protocol(each) for each in named}
        return [each for each in found if each in asked or self._has_bytes(each)]

    def _has_bytes(self, path: str) -> bool:
        row = self.info(path)
        return row["type"] == "file" or (row["type"] == "directory" and not row["islink"])

    def _listed(self, path: str, facts: "FileFacts") -> "dict[str, Any]":
        """Give what a listing says: a symlink to a file is that file, one to a directory is a link."""
        if facts.kind is Kind.SYMLINK:
            try:
                target = self.image.stat(path)
            except OSError:
                return _row(path, facts)
            if target.kind is Kind.FILE:
                return _row(path, target, facts)
        return _row(path, facts)

    def modified(self, path: str) -> datetime:
        """Give when a file was last changed, in UTC."""
        seconds, nano = divmod(self._facts(path).mtime_ns, _NANO)
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=nano // 1000)

    def created(self, path: str) -> datetime:
        """Give when the layer was made that a file is from; its own time where nobody says."""
        facts, config = self._facts(path), self.image.config
        steps = [row for row, diff_id in config.steps() if diff_id] if config else []
        text = steps[facts.layer - 1].created if 0 < facts.layer <= len(steps) else ""
        try:
            return datetime.fromisoformat(text).astimezone(UTC)
        except ValueError:
            return self.modified(path)

    def ukey(self, path: str) -> str:
        """Give what changes with a file's content: of an image nothing has to be read for it."""
        facts = self._facts(path)
        words = [str(facts.inode), str(facts.layer), str(facts.size)]
        if self.image.config and facts.layer <= len(self.image.config.diff_ids):
            words[1] = str(self.image.config.diff_ids[facts.layer - 1])
        else:  # what a container has written
            words += [self.image.id, str(facts.mtime_ns)]
        return sha256(" ".join(words).encode()).hexdigest()

    def checksum(self, path: str) -> int:
        """Give `ukey` as a number."""
        return int(self.ukey(path), 16)

    def _facts(self, path: str) -> "FileFacts":
        return self.image.stat(self._strip_protocol(path))

    # Bytes.

    def cat_file(
        self, path: str, start: "int | None" = None, end: "int | None" = None, **_: object
    ) -> bytes:
        """Give a file's content, or a part; negative numbers count from its end. Raises: OSError."""
        path = self._strip_protocol(path)
        size = self.image.stat(path).size if (start or 0) < 0 or (end or 0) < 0 else 0
        first = max(start + size, 0) if start is not None and start < 0 else start or 0
        if end is None:
            return self.image.read(path, first)
        last = end + size if end < 0 else end
        return self.image.read(path, first, max(last - first, 0))

    def get_file(
        self,
        rpath: str,
        lpath: "Any",
        callback: "Any" = DEFAULT_CALLBACK,
        outfile: "Any" = None,
        **_: object,
    ) -> None:
        """Copy a file out; its holes stay holes. A directory is made, without what is in it."""
        path = self._strip_protocol(rpath)
        facts = self.image.stat(path)
        if facts.kind is Kind.DIRECTORY:
            os.makedirs(lpath, exist_ok=True)
            return
        if facts.kind is not Kind.FILE:
            self.image.open(path).close()  # says what it is, before anything is made here
        callback.set_size(facts.size)
        target = lpath if isfilelike(lpath) else outfile
        if target is not None:
            with self.image.open(path) as source:
                while data := source.read(_PIECE):
                    target.write(data)
                    callback.relative_update(len(data))
            return
        os.makedirs(os.path.dirname(os.path.abspath(lpath)), exist_ok=True)
        with open(lpath, "wb") as file:
            for offset, data in self.image.pieces(path):
                file.seek(offset)
                file.write(data)
                callback.relative_update(len(data))
            file.truncate(facts.size)

    def _open(
        self,
        path: str,
        mode: str = "rb",
        block_size: "int | None" = None,
        cache_type: "str | None" = None,
        **options: "Any",
    ) -> "Any":
        """Open a file: one of Lamina's own, or one with a cache of fsspec's, where that is asked for."""
        if mode != "rb":
            self._refuse(path)
        if cache_type is None:
            return self.image.open(path, buffer_size=block_size or 0)
        return _FileWithCache(self, path, mode, block_size, cache_type=cache_type, **options)

    # What would change something.

    def _refuse(self, *paths: object, **_: object) -> "NoReturn":
        """Raise OSError (EROFS)."""
        raise OSError(errno.EROFS, READ_ONLY, str(paths[0]) if paths else None)

    mkdir = makedirs = mkdirs = makedir = rmdir = rm = rm_file = _rm = delete = _refuse
    touch = pipe = pipe_file = cp_file = copy = cp = mv = move = rename = _refuse
    put = put_file = upload = _refuse
    start_transaction = end_transaction = _refuse


class _FileWithCache(AbstractBufferedFile):  # type: ignore[misc]
    """What `cache_type="readahead"` and `blockcache::` get: fsspec's own file, over ranges."""

    def _fetch_range(self, start: int, end: int) -> bytes:
        return self.fs.image.read(self.path, start, end - start)  # type: ignore[no-any-return]


def _row(path: str, facts: "FileFacts", link: "FileFacts | None" = None) -> "dict[str, Any]":
    """Give fsspec's row of a path; `link` is the symlink there, if `facts` are of what it leads to."""
    own = link or facts
    row = {
        "name": path,
        "size": facts.size,
        "type": _TYPES.get(facts.kind, "other"),
        "mode": facts.mode,
        "uid": facts.uid,
        "gid": facts.gid,
        "mtime": facts.mtime_ns / _NANO,
        "ino": facts.inode,
        "nlink": facts.links,
        "layer": own.layer,
        "islink": own.kind is Kind.SYMLINK,
    }
    if own.kind is Kind.SYMLINK:
        row["destination"] = own.target
    return row
