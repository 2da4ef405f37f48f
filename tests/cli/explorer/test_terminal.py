"""The explorer in a real terminal: tmux shows what a person would see."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lamina.engine.engine import Engine

_PATIENCE_S = 120


class Tmux:
    """A terminal of its own server; `look` waits for words."""

    def __init__(self, folder: str) -> None:
        self._base = ["tmux", "-S", f"{folder}/s", "-f", "/dev/null"]

    def __call__(self, *words: str) -> str:
        said = subprocess.run([*self._base, *words], capture_output=True, check=True)
        return said.stdout.decode()

    def look(self, *words: str, gone: str = "\0", colours: bool = False) -> str:
        end = time.monotonic() + _PATIENCE_S
        while True:
            text = self("capture-pane", "-p", *(["-e"] if colours else []))
            if all(word in text for word in words) and gone not in text:
                return text
            assert time.monotonic() < end, f"{words} without {gone!r}:\n{text}"
            time.sleep(0.05)

    def start(self, engine: Engine, name: str, **environ: str) -> None:
        """Begin to explore an image of `engine`, in a terminal of 80 by 24."""
        settings = {
            "LAMINA_ROOT": engine.settings.root,
            "LAMINA_RUN_ROOT": engine.settings.run_root,
            "LANG": "C.UTF-8",
            **environ,
        }
        given = " ".join(f"{key}='{value}'" for key, value in settings.items())
        command = f"env {given} {sys.executable} -m lamina explore {name}; echo ended with $?; cat"
        self("new-session", "-d", "-x", "80", "-y", "24", command)


@pytest.fixture
def tmux() -> Iterator[Tmux]:
    """A tmux whose socket has a short path."""
    folder = tempfile.mkdtemp(prefix="lt", dir="/tmp")
    terminal = Tmux(folder)
    try:
        yield terminal
    finally:
        subprocess.run([*terminal._base, "kill-server"], capture_output=True, check=False)
        shutil.rmtree(folder)


def test_keys_resizing_and_the_way_out_in_a_real_terminal(world: Engine, tmux: Tmux):
    tmux.start(world, "three", COLUMNS="80", LINES="24")  # some shells export them
    lines = tmux.look("efficiency 0.300", "removed: /a").splitlines()
    assert len(lines) == 24
    assert lines[0].startswith(" 1 Files  2 Waste")
    assert lines[2].startswith("*3  1.41kB  29% RUN step-3       R      3kB ▸ a/")
    assert lines[-1].strip().endswith("q quit")
    tmux("send-keys", "Tab", "Down")
    tmux.look("Layer 2 · ACRU", "added 1 (14B)")
    tmux("send-keys", "-l", "/conf")  # at once: each letter is a key, too
    tmux("send-keys", "Enter")
    tmux.look("/etc/conf", "1 with 'conf'")
    tmux("send-keys", "1", "Tab")
    tmux.look("Layer 2 · ACRU", "added 1 (14B)")
    tmux("resize-window", "-x", "50", "-y", "20")
    text = tmux.look("Layer 2 · ACRU", "█")  # room for bars: one pane above the other
    assert text.index("RUN step-1") < text.index("Layer 2 ·")
    tmux("send-keys", "q")
    tmux.look("ended with 0", gone="Layer")
    flags = "#{alternate_on}#{mouse_any_flag}#{cursor_flag}"
    assert tmux("display-message", "-p", flags).strip() == "001"


def test_ctrl_c_leaves_the_terminal_clean_and_no_color_is_heeded(world: Engine, tmux: Tmux):
    tmux.start(world, "three", NO_COLOR="1")
    text = tmux.look("removed: /a", colours=True)
    assert "\x1b[1m" in text or "\x1b[7" in text
    assert not any(f"\x1b[3{colour}m" in text for colour in range(1, 8))
    tmux("send-keys", "C-c")
    tmux.look("ended with 0", gone="Layer")
    assert tmux("display-message", "-p", "#{alternate_on}#{mouse_any_flag}").strip() == "00"


def test_sigterm_leaves_the_terminal_clean(world: Engine, tmux: Tmux):
    tmux.start(world, "three")
    tmux.look("efficiency", "removed: /a")
    shell = tmux("display", "-p", "#{pane_pid}").strip()
    (explorer,) = Path(f"/proc/{shell}/task/{shell}/children").read_text().split()
    os.kill(int(explorer), signal.SIGTERM)
    tmux.look("ended with 143", gone="efficiency")
    assert tmux("display", "-p", "#{alternate_on} #{mouse_any_flag}").split() == ["0", "0"]


def test_only_the_terminals_own_colours_are_used(world: Engine, tmux: Tmux):
    tmux.start(world, "three")
    text = tmux.look("removed: /a", colours=True)
    assert "\x1b[31m" in text or "\x1b[0;31m" in text
    assert "38;2;" not in text
    assert "48;" not in text
    tmux("send-keys", "q")
    tmux.look("ended with 0")
