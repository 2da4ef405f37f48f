"""`-v` and `--mount` as people write them: what from outside is shown where inside, and how."""

import os
import posixpath

from lamina.errors import Invalid
from lamina.values import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MountInvalid", "VolumeMount"]

_PROPAGATIONS = ("rprivate", "private", "rslave", "slave", "rshared", "shared")
_IGNORED = ("z", "Z", "delegated", "cached", "consistent")  # of SELinux and of Docker Desktop
_MODES = frozenset(("ro", "rw", "U", "nocopy", *_PROPAGATIONS, *_IGNORED))
_PREFIXES = _KINDS = ("bind", "volume", "tmpfs", "image")
_BELOW = ("enabled", "disabled", "writable", "readonly")
_BARE = (
    "bind-create-src", "bind-nonrecursive", "chown", "readonly", "ro", "u", "volume-nocopy",
)  # fmt: skip
_TRUE, _FALSE = ("true", "1"), ("false", "0")


class MountInvalid(Invalid):
    """A `-v`, `--mount` or `--tmpfs` that cannot be understood or done."""

    exit_code = 125


@dataclass(frozen=True, slots=True)
class VolumeMount:
    """Something from outside shown inside: `kind` is bind, volume, tmpfs or image.

    `make` creates a missing source folder (`-v` does, `--mount` refuses). `copy` fills a new volume
    with what the image has there. `recursive` takes along what is mounted below a bind's source.
    `below` is what becomes of that under a read-only bind: empty for read-only where the kernel can,
    `readonly` for read-only in any case, `writable`. `chown` gives a bind or a volume to the
    container's user. `options` are a tmpfs's; `propagation` is a bind's, empty for rprivate. `subpath` is a folder
    within a volume or an image; `labels` and `driver_options` are those of a volume that is made for it.
    """

    kind: str
    source: str
    target: str
    read_only: bool = False
    make: bool = True
    options: str = ""
    propagation: str = ""
    copy: bool = True
    recursive: bool = True
    subpath: str = ""
    labels: "Mapping[str, str]" = field(default_factory=dict)
    driver_options: "Mapping[str, str]" = field(default_factory=dict)
    below: str = ""
    chown: bool = False

    @classmethod
    def parse_volume(cls, text: str) -> "VolumeMount":
        """Read `-v [SOURCE:]TARGET[:ro|rw|nocopy|rslave|U|…]`. Raises: MountInvalid."""
        if not text:
            raise MountInvalid("invalid empty volume spec", hint="write -v /source:/target[:ro]")
        parts = text.split(":")
        modes = ""
        if len(parts) > 1 and not parts[-1].startswith("/"):
            modes = parts.pop()
            if len(parts) == 1 and modes and not _MODES & set(modes.split(",")):
                raise MountInvalid(
                    f"invalid volume specification: '{text}': invalid mount path: '{modes}' "
                    "mount path must be absolute",
                    hint="write -v /source:/target[:ro]",
                )
        # An empty part is a variable of the caller's that was not set, not an anonymous volume.
        if "" in text.split(":") or not 1 <= len(parts) <= 2 or not parts[-1].startswith("/"):  # noqa: PLR2004
            raise MountInvalid(
                f"invalid volume specification: '{text}'", hint="write -v /source:/target[:ro]"
            )
        target = _clean(parts[-1])
        if target == "/":
            raise MountInvalid(f"invalid volume specification: '{text}': destination can't be '/'")
        source = parts[0] if len(parts) > 1 else ""
        if source.startswith((".", "~")):
            source = os.path.abspath(os.path.expanduser(source))
        kind = "bind" if source.startswith("/") else "volume"
        chosen = modes.split(",") if modes else []
        _check_modes(chosen, kind, modes)
        return cls(
            kind,
            source,
            target,
            read_only="ro" in chosen,
            copy="nocopy" not in chosen,
            chown="U" in chosen,
            propagation=_spreads(next((mode for mode in chosen if mode in _PROPAGATIONS), "")),
        )

    @classmethod
    def parse_mount(cls, text: str) -> "VolumeMount":
        """Read `--mount type=bind,source=…,target=…[,readonly]`. Raises: MountInvalid."""
        fields = _Fields(text)
        kind = fields.take("type") or "volume"
        if kind not in _KINDS:
            hint = "bind, volume, tmpfs or image"
            raise MountInvalid(f"mount type unknown: {kind!r}", hint=hint)
        source = fields.take("source", "src")
        target = fields.take("target", "destination", "dst")
        mount = cls(
            kind,
            source,
            _clean(target),
            read_only=fields.truth("readonly", "ro"),
            make=fields.truth("bind-create-src"),
            options=fields.tmpfs_options(),
            propagation=_spreads(fields.choice("bind-propagation", _PROPAGATIONS)),
            copy=not fields.truth("volume-nocopy"),
            recursive=not fields.truth("bind-nonrecursive")
            and fields.choice("bind-recursive", _BELOW) != "disabled",
            subpath=fields.take("volume-subpath", "image-subpath", "subpath"),
            labels=fields.pairs("volume-label"),
            driver_options=fields.pairs("volume-opt"),
            below=_below(fields),
            chown=fields.truth("chown", "u"),
        )
        fields.take("consistency")
        fields.choice("relabel", ("private", "shared"))  # SELinux labels nothing of ours
        if fields.take("volume-driver") not in ("", "local"):
            raise MountInvalid("only the volume driver local is there")
        fields.finish(kind)
        if why := mount.problem(target):
            raise MountInvalid(f"invalid mount {text!r}: {why}")
        return mount

    def problem(self, target: str) -> str:
        """Tell why `--mount` cannot mean this, if so; `target` is as it was written."""
        kind, subpath, below = self.kind, self.subpath, self.below
        placed = self.source.startswith("/")
        outside = subpath.startswith("/") or ".." in subpath.split("/")
        spreads = self.propagation not in ("", "rprivate")
        together = f"option 'bind-recursive={below}' requires"
        problems = (
            (not target, "target is required"),
            (not target.startswith("/"), "target must be an absolute path"),
            (kind in ("bind", "image") and not self.source, "source is required"),
            (kind == "bind" and not placed, "source must be an absolute path"),
            (kind == "tmpfs" and self.source, "a tmpfs has no source"),
            (kind in ("tmpfs", "image") and self.chown, f"chown is not for mounts of type {kind}"),
            (kind in ("bind", "tmpfs") and subpath, f"mounts of type {kind} have no subpath"),
            (outside, f"{kind}-subpath must stay in the {kind}"),
            (below and not self.read_only, f"{together} 'readonly' to be specified in conjunction"),
            (below == "readonly" and spreads, f"{together} 'bind-propagation=rprivate'"),
        )
        return next((words for wrong, words in problems if wrong), "")


def _below(fields: "_Fields") -> str:
    """Give what a read-only bind does with what is mounted below it, empty for the usual."""
    text = fields.choice("bind-recursive", _BELOW)
    return text if text in ("writable", "readonly") else ""


def _spreads(text: str) -> str:
    """Give a propagation that is possible here. Raises: MountInvalid."""
    if text in ("rshared", "shared"):
        raise MountInvalid(
            f"propagation {text} is not possible: what a container mounts stays in it",
            hint="rslave shows the container what this machine mounts later",
        )
    return text


def _check_modes(chosen: list[str], kind: str, text: str) -> None:
    """Refuse modes that do not exist or exclude each other. Raises: MountInvalid."""
    access = [mode for mode in chosen if mode in ("ro", "rw")]
    spreading = [mode for mode in chosen if mode in _PROPAGATIONS]
    known = {"ro", "rw", "U", *_IGNORED, *(("nocopy",) if kind == "volume" else _PROPAGATIONS)}
    if set(chosen) - known or len(access) > 1 or len(spreading) > 1:
        raise MountInvalid(
            f"invalid mode: {text}", hint="ro, rw, U; nocopy for volumes; rslave for binds"
        )


class _Fields:
    """The `key=value` pairs of one `--mount`, taken one after the other."""

    def __init__(self, text: str) -> None:
        import csv

        self._text = text
        self._rows: list[tuple[str, str]] = []
        for part in next(csv.reader([text]), []):
            key, equals, value = part.partition("=")
            name = key.strip().lower()
            if not equals and name not in _BARE:
                raise MountInvalid(f"invalid field '{part}' must be a key=value pair")
            self._rows.append((name, value if equals else "true"))
        self._used: set[str] = set()

    def take(self, *names: str) -> str:
        """Give the last value under any of `names`, or nothing."""
        self._used.update(names)
        return next((value for key, value in reversed(self._rows) if key in names), "")

    def truth(self, *names: str) -> bool:
        """Give a truth value."""
        text = self.take(*names).lower() or "false"
        if text not in (*_TRUE, *_FALSE):
            raise MountInvalid(f"invalid value for {names[0]}: {text}", hint="true or false")
        return text in _TRUE

    def choice(self, name: str, known: tuple[str, ...]) -> str:
        """Give one of `known`, or nothing."""
        text = self.take(name)
        if text and text not in known:
            raise MountInvalid(f"invalid {name}: {text}", hint=f"one of {', '.join(known)}")
        return text

    def pairs(self, name: str) -> dict[str, str]:
        """Give all `name=key=value` as a mapping."""
        self._used.add(name)
        found = (value.partition("=") for key, value in self._rows if key == name)
        return {key: value for key, _, value in found}

    def tmpfs_options(self) -> str:
        """Give a tmpfs's size and mode as `mount -o` has them."""
        size, mode = self.take("tmpfs-size"), self.take("tmpfs-mode")
        digits = size[:-1] if size[-1:].lower() in ("k", "m", "g", "b") else size
        if size and not digits.isdigit():
            raise MountInvalid(f"invalid value for tmpfs-size: {size}", hint="64m, for example")
        if mode and set(mode) - set("01234567"):
            raise MountInvalid(f"invalid value for tmpfs-mode: {mode}", hint="1777, for example")
        size = digits if size[-1:].lower() == "b" else size
        pairs = [f"size={size}" if size else "", f"mode={mode}" if mode else ""]
        return ",".join(pair for pair in pairs if pair)

    def finish(self, kind: str) -> None:
        """Refuse keys that nobody took, or that belong to another kind of mount."""
        for key, _ in self._rows:
            if key not in self._used:
                raise MountInvalid(f"unexpected key '{key}' in '{self._text}'")
            prefix = key.partition("-")[0]
            if "-" in key and prefix in _PREFIXES and prefix != kind:
                raise MountInvalid(f"cannot mix '{prefix}-*' options with mount type '{kind}'")


def _clean(path: str) -> str:
    return posixpath.normpath("/" + path.lstrip("/"))
