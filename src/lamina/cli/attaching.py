"""A container's streams on this command's own: terminal, pipes, signals, detach keys."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext

from lamina.errors import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lamina.cli.context import Context
    from lamina.runtime.attach import Attachment
    from lamina.runtime.frames import Stream

__all__ = [
    "detach_keys",
    "follow",
    "need_terminal",
    "output_writer",
    "proxied",
    "stdin_of",
    "tell_warnings",
]

_PATIENCE = 3
DETACH_HELP = "Override the key sequence for detaching a container"


def stdin_of(context: Context) -> int:
    """Give the descriptor of the command's standard input, or -1 where there is none."""
    try:
        return context.stdin.fileno()
    except (AttributeError, OSError, ValueError):
        return -1


def detach_keys(context: Context, text: str) -> str:
    """Give the keys that leave a session: `text`, else docker's config.json's, else Docker's own.

    To be asked before anything is made. Raises: Invalid (keys that cannot be).
    """
    from lamina.runtime.console import DETACH_KEYS, DetachKeys, is_terminal

    where = ""
    if not text and is_terminal(stdin_of(context)):  # no keys are typed elsewhere
        text, where = _configured(context), "`detachKeys` of docker's config.json: "
    try:
        DetachKeys(text)
    except Invalid as error:
        raise Invalid(f"{where}{error.message}", hint=error.hint) from None
    return text or DETACH_KEYS


def _configured(context: Context) -> str:
    """Read `detachKeys` of docker's config.json; empty where there are none."""
    from contextlib import suppress

    from lamina.errors import LaminaError
    from lamina.spec.wire import decode

    path = f"{context.settings.docker_config}/config.json"
    with suppress(OSError, LaminaError), open(path, "rb") as file:  # a login tells of a spoilt one
        return str(decode(file.read(), what=path).get("detachKeys") or "")
    return ""


def need_terminal(context: Context, *, terminal: bool, stdin: bool) -> None:
    """Refuse `-it` without a terminal, in Docker's words. Raises: Invalid."""
    from lamina.runtime.console import is_terminal

    if terminal and stdin and not is_terminal(stdin_of(context)):
        raise Invalid("the input device is not a TTY", hint="leave out -t, or run from a terminal")


def follow(
    context: Context,
    attachment: Attachment,
    *,
    stdin: bool,
    keys: str,
    wanted: tuple[str, ...] = ("stdout", "stderr"),
) -> int | None:
    """Pass everything through until the process ends; give its exit code, None when detached."""
    from lamina.runtime.console import is_terminal

    fd = stdin_of(context) if stdin else -1
    typing = attachment.terminal and fd >= 0 and is_terminal(fd)
    watched = attachment.terminal and not typing  # else the relay follows the size, or nobody does
    with _told_sizes(context, attachment) if watched else nullcontext():
        ending = attachment.relay(
            stdin=fd,
            write=output_writer(context, wanted),
            detach_keys=keys,
            typing=typing,
        )
    if ending.detached:
        context.say("read escape sequence")
        return None
    return ending.exit_code


@contextmanager
def _told_sizes(context: Context, attachment: Attachment) -> Iterator[None]:
    """Tell a terminal that nobody types on its size, now and whenever this one's changes."""
    import signal
    from contextlib import suppress

    def tell(*_: object) -> None:
        columns, rows = context.size()
        attachment.resize(rows, columns)  # nothing else is sent where nothing is typed

    tell()
    before = signal.getsignal(signal.SIGWINCH)
    with suppress(ValueError):  # only the main thread may
        signal.signal(signal.SIGWINCH, tell)
    try:
        yield
    finally:
        with suppress(ValueError):
            signal.signal(signal.SIGWINCH, before)


def output_writer(
    context: Context, wanted: tuple[str, ...] = ("stdout", "stderr")
) -> Callable[[Stream | int, bytes], None]:
    """Give what puts output where it belongs, unbuffered where there is a real descriptor."""
    context.out.flush()
    targets = {}
    for number, name, stream in ((1, "stdout", context.out), (2, "stderr", context.err)):
        if name not in wanted:
            continue
        buffer = getattr(stream, "buffer", None)
        targets[number] = buffer if buffer is not None else _TextSink(stream)

    def write(stream: Stream | int, data: bytes) -> None:
        target = targets.get(int(stream))
        if target is not None:
            target.write(data)
            target.flush()

    return write


class _TextSink:
    """Bytes into a text stream that has none beneath: a test's StringIO."""

    def __init__(self, stream: object) -> None:
        self._stream = stream

    def write(self, data: bytes) -> None:
        self._stream.write(data.decode("utf-8", "replace"))  # type: ignore[attr-defined]

    def flush(self) -> None:
        """Nothing waits."""


class proxied:  # noqa: N801 - reads as a verb: `with proxied(send):`
    """Hand signals that this process gets to the container while inside.

    The third SIGINT or SIGTERM is for us, as in Docker: first processes ignore what they do not handle.
    Raises: GaveUp.
    """

    def __init__(self, send: Callable[[int], None], *, on: bool = True) -> None:
        self._send = send
        self._on = on
        self._before: dict[int, object] = {}
        self._endings = 0

    def __enter__(self) -> None:
        import signal

        if not self._on:
            return
        for number in self._numbers():
            try:
                self._before[number] = signal.signal(number, self._take)
            except ValueError:  # not the main thread: signals come to somebody else
                return

    def _take(self, number: int, _: object) -> None:
        import signal

        if number in (signal.SIGINT, signal.SIGTERM):
            self._endings += 1
            if self._endings == _PATIENCE:
                from lamina.cli.errors import GaveUp

                raise GaveUp(
                    f"got {_PATIENCE} SIGTERM/SIGINTs, forcefully exiting; the container may still run: "
                    "`lamina ps` shows it, `lamina kill` ends it"
                )
        self._send(number)

    @staticmethod
    def _numbers() -> Iterator[int]:
        import signal

        yield from (
            signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT,
            signal.SIGUSR1, signal.SIGUSR2, signal.SIGCONT, signal.SIGALRM, signal.SIGWINCH,
        )  # fmt: skip

    def __exit__(self, *_: object) -> None:
        import signal

        for number, before in self._before.items():
            signal.signal(number, before)  # type: ignore[arg-type]


def tell_warnings(context: Context, attachment: Attachment) -> None:
    """Say what a container that was just started lacks."""
    for words in attachment.warnings:
        context.say(f"WARNING: {words}")
