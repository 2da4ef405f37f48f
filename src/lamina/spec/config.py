"""The image configuration. Spec: image-spec config.md, with Docker's extra fields kept."""

from lamina.errors import Invalid
from lamina.spec.digest import Digest
from lamina.spec.platform import Platform
from lamina.spec.wire import Document, decode, encode
from lamina.values import dataclass, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["CONFIG_LIMIT", "History", "ImageConfig", "check_settings"]

CONFIG_LIMIT = 16 * 1024 * 1024
"""Largest image configuration we read, in bytes; real ones have a few thousand."""

_LISTS = ("Cmd", "Entrypoint", "Env", "OnBuild", "Shell")
_TEXTS = ("StopSignal", "User", "WorkingDir")
_SETS = ("ExposedPorts", "Volumes")
_NUMBERS = ("Interval", "Retries", "StartInterval", "StartPeriod", "Timeout")


@dataclass(frozen=True, slots=True)
class History:
    """How one step came about. `empty_layer` steps changed the config only."""

    created: str = ""
    created_by: str = ""
    author: str = ""
    comment: str = ""
    empty_layer: bool = False

    @classmethod
    def from_json(cls, document: Document) -> "History":
        """Read one row; what is missing is empty."""
        return cls(
            created=str(document.get("created") or ""),
            created_by=str(document.get("created_by") or ""),
            author=str(document.get("author") or ""),
            comment=str(document.get("comment") or ""),
            empty_layer=bool(document.get("empty_layer")),
        )

    def to_json(self) -> Document:
        """Give the row, keys in Docker's order, empty ones left out."""
        document: Document = {}
        for key in ("created", "author", "created_by", "comment"):
            if getattr(self, key):
                document[key] = getattr(self, key)
        if self.empty_layer:
            document["empty_layer"] = True
        return document


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """An image's configuration. `raw` is what was read, and its digest is the image ID.

    `document` is the whole parsed object, unknown fields included: read it, never change it. `odd`
    says what is wrong with one that was read all the same: `read_anyway` alone gives such.
    """

    raw: bytes
    document: Document
    diff_ids: tuple[Digest, ...]
    history: tuple[History, ...]
    odd: tuple[str, ...] = ()

    @classmethod
    def read_anyway(cls, raw: bytes) -> "ImageConfig":
        """Read a configuration as far as it can be, for those who only look at its image.

        Diff IDs are none where one of them is no digest. Raises: Invalid (no `rootfs`: an artifact's).
        """
        try:
            return cls.from_json(raw)
        except Invalid as error:
            odd = error
        try:
            document = decode(raw)
        except Invalid:
            return cls(raw, {}, (), (), (odd.message,))
        if "rootfs" not in document:
            raise odd
        rootfs, rows = document["rootfs"], document.get("history")
        listed = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
        try:
            diff_ids = tuple(map(Digest.parse, listed)) if isinstance(listed, list) else ()
        except Invalid:
            diff_ids = ()
        rows = (
            [row if isinstance(row, dict) else {} for row in rows] if isinstance(rows, list) else []
        )
        return cls(raw, document, diff_ids, tuple(map(History.from_json, rows)), (odd.message,))

    def fitted(self, blobs: "Sequence[Digest]") -> "ImageConfig":
        """Give the configuration with a diff ID for each of a manifest's layers, `blobs`.

        Where it names fewer, the blob's own digest stands in; that is `odd`, as naming more is.
        """
        named = len(self.diff_ids)
        if named == len(blobs):
            return self
        said = f"its configuration names {named} layers, its manifest {len(blobs)}"
        diff_ids = (*self.diff_ids, *blobs[named:])[: len(blobs)]
        return replace(self, diff_ids=diff_ids, odd=(*self.odd, said))

    @classmethod
    def from_json(cls, raw: bytes) -> "ImageConfig":
        """Read a configuration. Raises: Invalid (malformed, or no `rootfs.diff_ids`)."""
        document = decode(raw, what="image configuration")
        rootfs = document.get("rootfs")
        rows = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
        if not isinstance(rows, list):
            rows = None if rootfs is None else []
        if rows is None:
            raise Invalid(
                "image configuration has no `rootfs.diff_ids`",
                hint="this may be an artifact, not an image",
            )
        diff_ids = tuple(Digest.parse(row) for row in rows)
        history = document.get("history") or []
        if not isinstance(history, list) or not all(isinstance(row, dict) for row in history):
            raise Invalid("image configuration's `history` is not a list")
        return cls(raw, document, diff_ids, tuple(History.from_json(row) for row in history))

    @classmethod
    def build(cls, document: Document) -> "ImageConfig":
        """Write a configuration; same document, same bytes."""
        return cls.from_json(encode(document))

    @property
    def digest(self) -> Digest:
        """The image ID."""
        return Digest.of(self.raw)

    @property
    def settings(self) -> Document:
        """The `config` object: Env, Cmd, Entrypoint, WorkingDir, User, Labels, …; maybe empty."""
        value = self.document.get("config")
        return value if isinstance(value, dict) else {}

    @property
    def created(self) -> str:
        """RFC 3339 time, or empty."""
        return str(self.document.get("created") or "")

    @property
    def platform(self) -> Platform:
        """What the image runs on."""
        return Platform.from_json(self.document)

    def steps(self) -> tuple[tuple[History, Digest | None], ...]:
        """Pair each history row with the layer it made, oldest first; None where it made none.

        Layers beyond the history get empty rows, so that every layer appears once.
        """
        layers = iter(self.diff_ids)
        rows: list[tuple[History, Digest | None]] = [
            (row, None if row.empty_layer else next(layers, None)) for row in self.history
        ]
        rows.extend((History(), diff_id) for diff_id in layers)
        return tuple(rows)


def check_settings(settings: Document) -> None:
    """See that what a container is made of has the types that the image-spec gives it (config.md).

    Others refuse such an image as a whole; here it is shown, and nothing is run of it: a word that is
    none would be met by whoever lists containers. Raises: Invalid.
    """
    health = settings.get("Healthcheck") or {}
    wrong = [
        *(name for name in _LISTS if not _are_texts(settings.get(name) or [])),
        *(name for name in _TEXTS if not isinstance(settings.get(name) or "", str)),
        *(name for name in _SETS if not isinstance(settings.get(name) or {}, dict)),
    ]
    labels = settings.get("Labels") or {}
    if not isinstance(labels, dict) or not _are_texts([one or "" for one in labels.values()]):
        wrong.append("Labels")
    if (
        not isinstance(health, dict)
        or not _are_texts(health.get("Test") or [])
        or not all(isinstance(health.get(name) or 0, int) for name in _NUMBERS)
    ):
        wrong.append("Healthcheck")
    if wrong:
        raise Invalid(
            f"the image's configuration has another kind of value in {', '.join(wrong)} than images have",
            hint="`lamina inspect` shows it; build or pull the image again",
        )


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)
