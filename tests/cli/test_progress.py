"""Progress on a terminal, a narrow one, one that changes, and on none."""

import fcntl
import os
import pty
import re
import struct
import termios
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.consoles import Console, text_of

from lamina.cli.context import Context
from lamina.cli.progress import Progress, bar
from lamina.events import Event, LayerProgress, Notice, Phase

PULL: list[Event] = [
    Notice("Pulling from library/mysql", id="latest"),
    LayerProgress("3cb0b4cbce2f", Phase.PULLING),
    LayerProgress("aaaaaaaaaaaa", Phase.PULLING),
    LayerProgress("3cb0b4cbce2f", Phase.DOWNLOADING, 0, 1_504_283),
    LayerProgress("3cb0b4cbce2f", Phase.DOWNLOADING, 36_445, 1_504_283),
    LayerProgress("aaaaaaaaaaaa", Phase.EXISTS),
    LayerProgress("3cb0b4cbce2f", Phase.VERIFYING),
    LayerProgress("3cb0b4cbce2f", Phase.DOWNLOADED),
    LayerProgress("3cb0b4cbce2f", Phase.EXTRACTING, 1_504_283, 1_504_283),
    LayerProgress("3cb0b4cbce2f", Phase.PULLED),
    Notice("Digest: sha256:51e7"),
    Notice("Status: Downloaded newer image for mysql:latest"),
]


class Screen:
    """What a terminal would show: understands only what progress writes."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.height = columns, rows
        self.rows: list[str] = [""]
        self.y = self.x = 0
        self.top = 0

    def feed(self, text: str) -> None:
        for piece in re.findall(r"\x1b\[\d*[A-Za-z]|.|\n|\r", text):
            if piece.startswith("\x1b["):
                self._control(piece)
            elif piece == "\n":
                self.y += 1
                self.x = 0
                if self.y == len(self.rows):
                    self.rows.append("")
                self.top = max(self.top, self.y - self.height + 1)
            elif piece == "\r":
                self.x = 0
            else:
                assert self.x < self.columns, "a line is longer than the terminal is wide"
                row = self.rows[self.y].ljust(self.x)
                self.rows[self.y] = row[: self.x] + piece + row[self.x + 1 :]
                self.x += 1

    def _control(self, piece: str) -> None:
        kind, count = piece[-1], int(piece[2:-1] or 1)
        if kind == "A":
            assert self.y - count >= self.top, "the cursor climbs past the top of the screen"
            self.y -= count
        elif kind == "J":
            self.rows[self.y :] = [self.rows[self.y][: self.x]]
        elif kind == "K":
            self.rows[self.y] = self.rows[self.y][: self.x]

    @property
    def lines(self) -> list[str]:
        return [row.rstrip() for row in self.rows if row]


class Terminal:
    """A real pseudo-terminal with a context on its inner end."""

    def __init__(self, columns: int, rows: int) -> None:
        self.outer, inner = pty.openpty()
        self.file = os.fdopen(inner, "w", encoding="utf-8")
        self.resize(columns, rows)
        self.now = 0.0
        self.context = Context(out=self.file, now=lambda: self.now)

    def resize(self, columns: int, rows: int) -> None:
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self.file.fileno(), termios.TIOCSWINSZ, size)

    def read(self) -> str:
        """Give what was written since the last time."""
        self.file.flush()
        self.file.write("\x00")
        self.file.flush()
        data = b""
        while not data.endswith(b"\x00"):
            data += os.read(self.outer, 65536)
        return data[:-1].decode().replace("\r\n", "\n")


@contextmanager
def terminal(columns: int = 100, rows: int = 30) -> Iterator[Terminal]:
    made = Terminal(columns, rows)
    try:
        yield made
    finally:
        made.file.close()
        os.close(made.outer)


def test_elsewhere_than_on_a_terminal_each_state_is_one_line_as_docker_prints():
    context = Console().context()
    with Progress(context) as listener:
        for event in PULL:
            listener(event)
            if isinstance(event, LayerProgress):
                listener(event)  # a state told again is no new line
    assert text_of(context).splitlines() == [
        "latest: Pulling from library/mysql",
        "3cb0b4cbce2f: Pulling fs layer",
        "aaaaaaaaaaaa: Pulling fs layer",
        "aaaaaaaaaaaa: Already exists",
        "3cb0b4cbce2f: Verifying Checksum",
        "3cb0b4cbce2f: Download complete",
        "3cb0b4cbce2f: Pull complete",
        "Digest: sha256:51e7",
        "Status: Downloaded newer image for mysql:latest",
    ]


def test_quiet_says_nothing_and_without_layers_only_notices_are_said():
    context = Console().context()
    for options in ({"quiet": True}, {"layers": False}):
        with Progress(context, **options) as listener:
            listener(PULL[1])
            listener(Notice("Loaded image: a:1"))
    assert text_of(context) == "Loaded image: a:1\n"


def test_a_mounted_layer_names_the_repository_it_came_from():
    context = Console().context()
    with Progress(context) as listener:
        listener(LayerProgress("ae5e22f71236", Phase.MOUNTED, detail="alice/db"))
    assert text_of(context) == "ae5e22f71236: Mounted from alice/db\n"


def test_on_a_terminal_lines_move_and_stay_as_they_ended():
    with terminal() as screen_of:
        screen = Screen(100, 30)
        with Progress(screen_of.context) as listener:
            for event in PULL[:5]:
                screen_of.now += 1
                listener(event)
            screen.feed(screen_of.read())
            assert screen.lines[0] == "latest: Pulling from library/mysql"
            assert screen.lines[1].startswith("3cb0b4cbce2f: Downloading [=>   ")
            assert "36.45kB/1.504MB" in screen.lines[1]
            assert screen.lines[2] == "aaaaaaaaaaaa: Pulling fs layer"
            for event in PULL[5:]:
                screen_of.now += 1
                listener(event)
        screen.feed(screen_of.read())
        assert screen.lines == [
            "latest: Pulling from library/mysql",
            "3cb0b4cbce2f: Pull complete",
            "aaaaaaaaaaaa: Already exists",
            "Digest: sha256:51e7",
            "Status: Downloaded newer image for mysql:latest",
        ]


def test_more_layers_than_rows_never_climb_past_the_top():
    with terminal(60, 8) as screen_of:
        screen = Screen(60, 8)
        with Progress(screen_of.context) as listener:
            for number in range(20):
                screen_of.now += 1
                listener(LayerProgress(f"{number:012x}", Phase.PULLING))
            screen.feed(screen_of.read())
            assert screen.lines[-1] == "… and 14 more"
            listener(LayerProgress(f"{19:012x}", Phase.DOWNLOADING, 5, 10))
            screen.feed(screen_of.read())
            assert any("Downloading" in line for line in screen.lines)
            for number in range(20):
                screen_of.now += 1
                listener(LayerProgress(f"{number:012x}", Phase.PULLED))
        screen.feed(screen_of.read())
        assert len(screen.lines) == 20
        assert all(line.endswith("Pull complete") for line in screen.lines)


def test_a_terminal_made_narrower_is_redrawn_from_the_right_line():
    with terminal(100, 30) as screen_of:
        with Progress(screen_of.context) as listener:
            listener(LayerProgress("aaaaaaaaaaaa", Phase.DOWNLOADING, 50, 100))
            first = screen_of.read()
            assert len(first.strip("\n\x1b[K")) > 60
            screen_of.resize(40, 30)
            screen_of.now += 1
            listener(LayerProgress("aaaaaaaaaaaa", Phase.DOWNLOADING, 60, 100))
            again = screen_of.read()
        rows = -(-len(re.sub(r"\x1b\[K|\n", "", first)) // 40)
        assert again.startswith(f"\x1b[{rows}A\r\x1b[J")
        assert all(len(line) < 40 for line in re.sub(r"\x1b\[\d*[A-Z]|\r", "", again).split("\n"))


def test_a_flood_of_counts_is_drawn_a_few_times_and_the_last_one_always():
    with terminal() as screen_of:
        with Progress(screen_of.context) as listener:
            for count in range(1000):
                screen_of.now += 0.001
                listener(LayerProgress("aaaaaaaaaaaa", Phase.DOWNLOADING, count, 1000))
            drawn = screen_of.read().count("Downloading")
        assert drawn <= 25
        assert "999B/1kB" in screen_of.read()


def test_a_notice_in_the_middle_stands_above_what_still_moves():
    with terminal() as screen_of:
        screen = Screen(100, 30)
        with Progress(screen_of.context) as listener:
            listener(LayerProgress("aaaaaaaaaaaa", Phase.DOWNLOADING, 5, 10))
            listener(Notice("Retrying in 2 seconds: connection reset"))
            listener(LayerProgress("aaaaaaaaaaaa", Phase.PULLED))
        screen.feed(screen_of.read())
        assert screen.lines == [
            "Retrying in 2 seconds: connection reset",
            "aaaaaaaaaaaa: Pull complete",
        ]


@pytest.mark.parametrize(
    ("current", "total", "width", "text"),
    [
        (0, 0, 80, "      0B"),
        (36445, 0, 80, " 36.45kB"),
        (36445, 1504283, 100, f"[=>{' ' * 49}]  36.45kB/1.504MB"),
        (1504283, 1504283, 100, f"[{'=' * 50}>]  1.504MB/1.504MB"),
        (2_000_000, 1504283, 100, f"[{'=' * 50}>]      2MB"),
        (36445, 1504283, 20, " 36.45kB/1.504MB"),
    ],
)
def test_a_bar_looks_as_dockers_does(current: int, total: int, width: int, text: str):
    assert bar(current, total, width=width) == text


def test_a_bar_tells_the_time_that_is_left_once_it_can():
    assert bar(25, 100, width=100, seconds=10).endswith("25B/100B 30 seconds")
    assert "second" not in bar(25, 100, width=100, seconds=0.5)


@given(st.integers(0, 10**13), st.integers(1, 10**13), st.integers(35, 200), st.floats(0, 1e6))
def test_a_bar_fits_its_width(current: int, total: int, width: int, seconds: float):
    assert len(bar(current, total, width=width, seconds=seconds)) <= width
