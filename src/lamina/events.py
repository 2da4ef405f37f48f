"""What happens during a long call, as values handed to a `Listener`.

The library never prints: a face turns these into lines, bars or JSON.
"""

from collections.abc import Callable

from lamina.values import Enum, dataclass

__all__ = ["Event", "LayerProgress", "Listener", "Notice", "Phase", "silent"]


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


def silent(event: Event) -> None:
    """Ignore `event`: the listener of callers who want none."""
