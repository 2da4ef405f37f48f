"""The keys of the explorer: what the last line shows, and the page of help."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.explorer.lines import Line

__all__ = ["HELP", "KEYS", "keys_line"]

KEYS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "tree": (
        ("enter", "open", "choose"),
        ("/", "find", "find"),
        ("s", "sort", "sort"),
        ("acruh", "show", ""),
        ("w", "whence", "whence"),
        ("tab", "layers", "other_pane"),
        ("o", "origin", "origin"),
        ("?", "help", "help"),
        ("q", "quit", "stop"),
    ),
    "stack": (
        ("up/down", "layer", ""),
        ("l", "alone/together", "together"),
        ("space", "from here", "mark"),
        ("tab", "tree", "other_pane"),
        ("/", "find", "find"),
        ("?", "help", "help"),
        ("q", "quit", "stop"),
    ),
    "ask": (
        ("enter", "find it", ""),
        ("esc", "do not", "leave"),
        ("A-Z", "as written", ""),
        ("/", "in the path", ""),
        ("ctrl-c", "quit", "quit"),
    ),
    "list": (
        ("enter", "go there", "choose"),
        ("/", "narrow", "find"),
        ("w", "whence", "whence"),
        ("1-5", "parts", ""),
        ("esc", "back", "leave"),
        ("?", "help", "help"),
        ("q", "quit", "stop"),
    ),
    "found": (
        ("enter", "go there", "choose"),
        ("/", "find other", "find"),
        ("w", "whence", "whence"),
        ("n N", "next, previous", "next(1)"),
        ("esc", "back", "leave"),
        ("?", "help", "help"),
        ("q", "quit", "stop"),
    ),
    "whence": (
        ("enter", "go to the layer", "choose"),
        ("/", "find", "find"),
        ("n", "next", "next(1)"),
        ("esc", "back", "leave"),
        ("q", "quit", "stop"),
    ),
    "content": (
        ("x", "bytes/text", "bytes"),
        ("left/right", "", ""),
        ("/", "find", "find"),
        ("n", "next", "next(1)"),
        ("esc", "back", "leave"),
        ("q", "quit", "stop"),
    ),
    "help": (
        ("/", "find", "find"),
        ("esc", "back", "leave"),
        ("q", "quit", "stop"),
    ),
}
"""By what has the focus: a key, what it does, and the action behind it. The first are the last to go."""

HELP = """\
Everywhere
  1 2 3 4 5        Files, Waste, Packages, Secrets, Found
  tab              go to the other pane; click: to that line; wheel: scroll
  up down j k      a line; PageUp PageDown Home End: more
  /                find names, also in closed directories and in other layers;
                   in a list: keep the rows that have a text; in a text: go there
  n N              the next, the previous of what was found
  left right       in a text: its beginning, what is further right
  esc              back; q, Ctrl-C: quit

Layers
  up down          look at what another layer did
  l (Ctrl-L)       all layers above the first together, or the one alone
  space            all layers from this one to the one looked at

The tree
  A C R =          added, changed, removed, repeated as it was
  · .              something in the directory is none of these as it was
  H                a later layer overwrites or removes this version
  enter space      open or close a directory, show what is in a file
  right left       open; close, or go to the directory around
  Ctrl-Space z     close all directories
  a c r u          hide or show what is added, changed, removed, unchanged
                   (dive's Ctrl-A, Ctrl-R, Ctrl-U, too; m is c)
  h                only what a later layer hides
  s                sort by name, size, waste
  b (Ctrl-B)       modes and owners
  v                show what is in the file; x: as bytes, as text
  w                its whole story: layers, instructions, packages, changed lines
  o                look at the layer that brought it
"""


def keys_line(focus: str, columns: int) -> tuple[Line, list[tuple[int, str]]]:
    """Draw the keys that fit, and give where each ends with its action. What goes first is the middle."""
    keys = list(KEYS[focus])
    while len(keys) > 1 and sum(len(key) + len(word) + 3 for key, word, _ in keys) > columns:
        del keys[max(len(keys) - 3, 0)]  # help and the way out stay
    line: Line = []
    ends: list[tuple[int, str]] = []
    at = 0
    for key, word, action in keys:
        line += [(f" {key}", "bold"), (f" {word} ", "")]
        at += len(key) + len(word) + 3
        ends.append((at, action))
    return line, ends
