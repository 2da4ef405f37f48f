"""What happens during a long call, as values handed to a `Listener`.

The library never prints: a face turns these into lines, bars or JSON. Whoever wants to know how a
thing is done, not only how far it is, is a `Witness` of the engine and hears of every deed too.
"""

from collections.abc import Callable, Mapping, Sequence

from lamina.values import Enum, dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "Admitted",
    "Deed",
    "DocumentRead",
    "Event",
    "Exchanged",
    "LayerProgress",
    "Listener",
    "Noted",
    "Notice",
    "Phase",
    "Running",
    "Starting",
    "Witness",
    "silent",
]


class Phase(Enum):
    """Where one layer stands; the value is the word people know from Docker."""

    PULLING = "Pulling fs layer"
    WAITING = "Waiting"
    DOWNLOADING = "Downloading"
    VERIFYING = "Verifying Checksum"
    DOWNLOADED = "Download complete"
    EXTRACTING = "Extracting"
    PULLED = "Pull complete"
    EXISTS = "Already exists"
    PREPARING = "Preparing"
    PUSHING = "Pushing"
    PUSHED = "Pushed"
    PRESENT = "Layer already exists"
    MOUNTED = "Mounted from"
    LOADING = "Loading layer"
    RETRYING = "Retrying"


@dataclass(frozen=True, slots=True)
class LayerProgress:
    """One layer moved on. `id` is 12 hex: of the blob when pulling, of the diff ID when pushing."""

    id: str
    phase: Phase
    current: int = 0
    total: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """A line of text, already complete: `latest: Pulling from library/mysql`."""

    text: str
    id: str = ""


Event = LayerProgress | Notice
Listener = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Exchanged:
    """A request went to a registry and its answer came.

    Nothing here is secret: `url` has no query but what is in `query`, `scheme` is that of the
    `Authorization` alone, and `headers` (names in lower case) are a few that people learn from.
    `sent` is the bytes of the request's body, -1 where nobody knew them.
    """

    method: str
    url: str
    status: int
    query: Mapping[str, str]
    headers: Mapping[str, str]
    scheme: str = ""
    sent: int = 0


@dataclass(frozen=True, slots=True)
class Admitted:
    """A token service gave a token for `scopes`, good for `lifetime_s`; `account` may be empty."""

    registry: str
    realm: str
    service: str
    scopes: Sequence[str]
    account: str
    lifetime_s: float


@dataclass(frozen=True, slots=True)
class DocumentRead:
    """A manifest, an index or a configuration was read and is what its digest says.

    `document` is a `Manifest`, an `Index` or an `ImageConfig` of `lamina.spec`, with its bytes as `raw`.
    """

    document: "Any"


@dataclass(frozen=True, slots=True)
class Starting:
    """A container's shim was given its order: `mounts` are `lamina.spec` values, in their order."""

    container: str
    runtime: str
    mounts: "Sequence[Any]"


@dataclass(frozen=True, slots=True)
class Running:
    """A container's first process runs. `seen` is what `runtime.observed` saw of it before its first step."""

    container: str
    pid: int
    seen: "Mapping[str, Any]"


@dataclass(frozen=True, slots=True)
class Noted:
    """Something was noted that `lamina events` shows, in Docker's words."""

    kind: str
    action: str
    id: str
    attributes: Mapping[str, str]


Deed = Exchanged | Admitted | DocumentRead | Starting | Running | Noted
Witness = Callable[[Event | Deed], None]


def silent(event: Event) -> None:
    """Ignore `event`: the listener of callers who want none."""
