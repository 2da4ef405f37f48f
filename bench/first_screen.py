"""Start a program on a terminal of 80 by 24, and end it as soon as words are on its screen.

    python bench/first_screen.py WORDS PROGRAM [ARGUMENT...]

Ends with 1 where the words never come.
"""

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

_PATIENCE_S = 300.0


def main() -> int:
    words, argv = sys.argv[1].encode(), sys.argv[2:]
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm-256color"
        os.execvp(argv[0], argv)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    try:
        return 0 if _comes(terminal, words) else 1
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _comes(terminal: int, words: bytes) -> bool:
    """Wait for the words among all that was written; what is between letters is not looked through."""
    seen = b""
    end = time.monotonic() + _PATIENCE_S
    while words not in seen and time.monotonic() < end:
        if select.select([terminal], [], [], 1.0)[0]:
            try:
                seen += os.read(terminal, 65536)
            except OSError:  # it ended by itself
                break
    return words in seen


if __name__ == "__main__":
    sys.exit(main())
