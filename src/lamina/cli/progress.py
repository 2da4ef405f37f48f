"""Pulls, pushes and loads as people watch them: moving lines on a terminal, plain ones elsewhere.

On a terminal every layer has a line with a bar, redrawn in place. Lines are cut to the width, and
when there are more layers than rows the finished ones give way, so that the cursor never has to
climb past the top of the screen. Elsewhere each state of a layer is one line, as Docker prints.
"""

from __future__ import annotations

from lamina.cli.errors import printable
from lamina.cli.units import human_duration, human_size
from lamina.events import LayerProgress, Notice, Phase

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from lamina.cli.context import Context
    from lamina.events import Event

__all__ = ["Progress", "bar"]

_MOVING = frozenset((Phase.DOWNLOADING, Phase.EXTRACTING, Phase.PUSHING, Phase.LOADING))
_FINAL = frozenset((Phase.PULLED, Phase.EXISTS, Phase.PUSHED, Phase.PRESENT, Phase.MOUNTED))
_FRAME_S = 0.05
_BAR_MOST, _BAR_LEAST = 50, 8
_TIME_LEFT_COLUMNS = 50


class Progress:
    """A `Listener` that draws. Use as a context manager: leaving it draws the last state.

    Events may come from several threads. `quiet` says nothing at all; without `layers` only
    notices are said.
    """

    def __init__(self, context: Context, *, quiet: bool = False, layers: bool = True) -> None:
        from threading import Lock

        self._context = context
        self._quiet = quiet
        self._layers = layers
        self._lock = Lock()
        self._view = _Screen(context) if context.is_terminal else _Plain(context)

    def __enter__(self) -> Progress:  # noqa: PYI034 - Self costs an import
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._view.close()
            self._context.out.flush()

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if self._quiet:
            return
        with self._lock:
            if isinstance(event, Notice):
                self._view.notice(event)
            elif self._layers:
                self._view.layer(event)


class _Plain:
    """Each state once, a line each; states that only move a bar are left out."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._last: dict[str, str] = {}

    def notice(self, event: Notice) -> None:
        self._context.print(_notice_text(event))
        self._context.out.flush()

    def layer(self, event: LayerProgress) -> None:
        text = _words(event)
        if event.phase in _MOVING or self._last.get(event.id) == text:
            return
        self._last[event.id] = text
        self._context.print(f"{event.id}: {text}")
        self._context.out.flush()

    def close(self) -> None:
        """Nothing is pending."""


class _Screen:
    """Lines that move: the region at the bottom of the screen is redrawn from its first line."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._layers: dict[str, LayerProgress] = {}
        self._started: dict[str, tuple[Phase, float]] = {}
        self._drawn: list[int] = []  # the length of every line on the screen now
        self._drawn_at = 0.0
        self._stale = False

    def notice(self, event: Notice) -> None:
        """Put a line above what still moves, or below what is done."""
        if any(layer.phase not in _FINAL for layer in self._layers.values()):
            self._context.out.write(self._erase() + _notice_text(event) + "\n")
            self._draw()
            return
        self.close()
        self._context.out.write(_notice_text(event) + "\n")
        self._context.out.flush()

    def layer(self, event: LayerProgress) -> None:
        """Note a state; draw it when it is new or the last picture is old enough."""
        now = self._context.now()
        known = self._layers.get(event.id)
        self._layers[event.id] = event
        if known is None or known.phase is not event.phase:
            self._started[event.id] = (event.phase, now)
        if known is not None and known.phase is event.phase and now - self._drawn_at < _FRAME_S:
            self._stale = True
            return
        self._draw()

    def close(self) -> None:
        """Draw every layer's last state and leave the lines where they are."""
        if self._layers:
            self._draw(everything=True)
        self._layers.clear()
        self._started.clear()
        self._drawn = []

    def _draw(self, *, everything: bool = False) -> None:
        columns, rows = self._context.size()
        head = self._erase(columns)
        now = self._context.now()
        layers = list(self._layers.values())
        hidden = 0
        if not everything and len(layers) > rows - 1:
            layers, hidden = _fit(layers, max(rows - 2, 1))
        lines = [self._line(layer, columns, now) for layer in layers]
        if hidden:
            lines.append(f"… and {hidden} more" if self._context.unicode else f"... {hidden} more")
        self._drawn = [len(line) for line in lines]
        self._context.out.write(head + "".join(line + "\x1b[K\n" for line in lines))
        self._context.out.flush()
        self._drawn_at = now
        self._stale = False

    def _erase(self, columns: int = 0) -> str:
        """Climb to the region's first line and clear from there.

        A terminal made narrower has broken our lines in two: count what they take now.
        """
        width = columns or self._context.size()[0]
        rows = sum(max(1, -(-length // width)) for length in self._drawn)
        self._drawn = []
        return f"\x1b[{rows}A\r\x1b[J" if rows else ""

    def _line(self, layer: LayerProgress, columns: int, now: float) -> str:
        text = f"{layer.id}: {_words(layer)}"
        if layer.phase in _MOVING and (layer.current or layer.total):
            started = self._started.get(layer.id, (layer.phase, now))[1]
            room = columns - 1 - len(text) - 1
            text += " " + bar(layer.current, layer.total, width=room, seconds=now - started)
        return text[: columns - 1].rstrip()


def bar(current: int, total: int, *, width: int, seconds: float = 0.0) -> str:
    """Draw `[=====>     ]  36.45kB/1.504MB 8 seconds` in at most `width` columns, if it can be.

    The bar shrinks first, then goes; an unknown `total` shows the count alone.
    """
    if total <= 0:
        return f"{human_size(current):>8}"
    count = f"{human_size(current):>8}" + (f"/{human_size(total)}" if current <= total else "")
    share = min(current / total, 1.0)
    left = ""
    if seconds > 1 and 0 < current < total and width > _TIME_LEFT_COLUMNS:
        left = " " + human_duration(seconds * (total - current) / current).lower()
    room = min(_BAR_MOST, width - len(count) - len(left) - len("[>] "))
    if room < _BAR_LEAST:
        return count
    done = min(int(share * room), room)
    return f"[{'=' * done + '>':<{room + 1}}] {count}{left}"


def _words(layer: LayerProgress) -> str:
    return f"{layer.phase.value} {layer.detail}".rstrip()


def _notice_text(event: Notice) -> str:
    return printable(f"{event.id}: {event.text}" if event.id else event.text)


def _fit(layers: list[LayerProgress], most: int) -> tuple[list[LayerProgress], int]:
    """Choose `most` layers to show: those that move, then those that wait, in their order."""

    def weight(layer: LayerProgress) -> int:
        if layer.phase in _MOVING:
            return 0
        return 2 if layer.phase in _FINAL else 1

    chosen = sorted(range(len(layers)), key=lambda index: (weight(layers[index]), index))[:most]
    return [layers[index] for index in sorted(chosen)], len(layers) - len(chosen)
