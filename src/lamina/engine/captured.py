"""What a commit put into the image and what it did not, as a value; and what may be regretted of it."""

from lamina.layer.entry import Kind
from lamina.layer.whiteout import PREFIX
from lamina.study.regrets import DUMP, TELLING_NAMES, Regret, Regrets, in_environment
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lamina.engine.records import ContainerRecord
    from lamina.layer.entry import Entry
    from lamina.spec.wire import Document

__all__ = ["Capture", "Captured", "Folder", "OnCaptured"]

_LISTED = ("Env", "ExposedPorts", "Volumes", "Labels")
_KEYS = (
    "Cmd", "Entrypoint", "Env", "ExposedPorts", "Healthcheck", "Labels", "OnBuild", "Shell",
    "StopSignal", "User", "Volumes", "WorkingDir",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Folder:
    """What came of one directory at the top: files and their bytes."""

    name: str
    files: int
    size: int


@dataclass(frozen=True, slots=True)
class Captured:
    """A commit's report. `removed` paths are gone; `settings` are lines about the configuration.

    `left_out` are the mounts whose content is not in the image, `regrets` what is likely not meant.
    """

    files: int
    size: int
    removed: int
    folders: tuple[Folder, ...]
    settings: tuple[str, ...]
    left_out: tuple[str, ...]
    regrets: tuple[Regret, ...]


if TYPE_CHECKING:
    OnCaptured = Callable[[Captured], None]
else:
    OnCaptured = object


class Capture:
    """Counts what is written, while it is written."""

    def __init__(self) -> None:
        self.regrets = Regrets()
        self._folders: dict[bytes, list[int]] = {}
        self._removed = 0
        self._folder: bytes | None = None
        self._sums = [0, 0]
        self._is_telling = False

    def take(self, entries: "Sequence[Entry]") -> None:
        """Take note of entries that were just written."""
        for entry in entries:
            if entry.kind is not Kind.FILE:
                continue
            folder, _, name = entry.path.rpartition(b"/")
            if name[:4] == PREFIX:
                self._removed += 1
                continue
            if folder != self._folder:
                self._enter(folder)
            sums = self._sums
            sums[0] += 1
            sums[1] += entry.size
            if self._is_telling or name in TELLING_NAMES or name[:5] == DUMP:
                self.regrets.file(entry.path, entry.size)

    def _enter(self, folder: bytes) -> None:
        """Look at a folder once for all its files."""
        self._folder = folder
        self._sums = self._folders.setdefault(folder.partition(b"/")[0], [0, 0])
        self._is_telling = self.regrets.is_telling(folder)

    def report(
        self,
        record: "ContainerRecord",
        before: "Document",
        after: "Document",
        *,
        volumes: bool = False,
        chosen: "Sequence[str]" = (),
    ) -> Captured:
        """Say it all. `before` and `after` are the settings of the image and of the new one.

        `volumes`: those are in it; `chosen`: instructions that were asked for with the commit.
        """
        folders = tuple(
            Folder("/" + name.decode("utf-8", "replace"), *sums)
            for name, sums in sorted(self._folders.items(), key=lambda item: -item[1][1])
        )
        new = [row for row in after.get("Env") or () if row not in (before.get("Env") or ())]
        return Captured(
            files=sum(folder.files for folder in folders),
            size=sum(folder.size for folder in folders),
            removed=self._removed,
            folders=folders,
            settings=tuple(_settings(before, after)),
            left_out=tuple(_left_out(record, volumes=volumes)),
            regrets=(
                *self.regrets.found(),
                *in_environment(new),
                *_command(before, after, chosen),
            ),
        )


def _settings(before: "Document", after: "Document") -> "Iterator[str]":
    for key in _KEYS:
        old, new = before.get(key) or None, after.get(key) or None
        if old == new:
            continue
        if key not in _LISTED:
            yield f"{key}: {_said(old)} → {_said(new)}"
            continue
        was, now = set(_rows(old)), set(_rows(new))
        yield from (f"{key}: + {row}" for row in sorted(now - was))
        yield from (f"{key}: - {row}" for row in sorted(was - now))


def _rows(value: object) -> "Iterator[str]":
    if isinstance(value, dict):
        yield from (
            f"{key}={found}" if isinstance(found, str) else key for key, found in value.items()
        )
    elif isinstance(value, list | tuple):
        yield from map(str, value)


def _said(value: object) -> str:
    from lamina.spec.wire import encode

    if value is None:
        return "none"
    return value if isinstance(value, str) else encode(value).decode()


def _left_out(record: "ContainerRecord", *, volumes: bool) -> "Iterator[str]":
    for mount in record.mounts:
        kind = str(mount["Type"])
        if not (volumes and kind == "volume"):
            yield f"{kind} {mount['Destination']}"
    for target in record.host.get("Tmpfs") or ():
        yield f"tmpfs {target}"


def _command(before: "Document", after: "Document", chosen: "Sequence[str]") -> "Iterator[Regret]":
    """Tell of a command that came from how the container was started."""
    asked = {row.split(None, 1)[0].upper() for row in chosen if row.strip()}
    for key, word in (("Entrypoint", "ENTRYPOINT"), ("Cmd", "CMD")):
        old, new = before.get(key) or None, after.get(key) or None
        if old != new and word not in asked:
            was = f"`--change '{word} {_said(old)}'` keeps it" if old else "give --change another"
            yield Regret(
                f"the image's {word} becomes {_said(new)}, with which the container was started",
                was,
            )
