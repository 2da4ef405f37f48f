"""Run the command line inside the test's own process, with streams and a clock of its own."""

import io
from collections.abc import Mapping
from dataclasses import dataclass

from lamina.cli.context import Context
from lamina.cli.main import main
from lamina.settings import Settings

__all__ = ["Console", "Said", "console"]

NOW = 1_800_000_000.0


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str


class Console:
    """Streams in memory; `run` is one command. Nothing of the surroundings is inherited."""

    def __init__(self, environ: Mapping[str, str] | None = None, *, now: float = NOW) -> None:
        self.environ = dict(environ or {})
        self.now = now

    def context(self, stdin: bytes = b"", encoding: str = "utf-8") -> Context:
        return Context(
            out=io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True),
            err=io.StringIO(),
            stdin=io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"),
            environ=self.environ,
            now=lambda: self.now,
        )

    def run(self, *words: str, stdin: bytes = b"", encoding: str = "utf-8") -> Said:
        context = self.context(stdin, encoding)
        code = main(words, context)
        assert isinstance(context.err, io.StringIO)
        return Said(code, text_of(context), context.err.getvalue())

    def __call__(self, *words: str, stdin: bytes = b"") -> str:
        said = self.run(*words, stdin=stdin)
        assert said.code == 0, said
        return said.out


def console(settings: Settings, *, now: float = NOW) -> Console:
    """Give a console on the folders of `settings`."""
    return Console(
        {
            "LAMINA_ROOT": settings.root,
            "LAMINA_RUN_ROOT": settings.run_root,
            "DOCKER_CONFIG": settings.docker_config,
            "HOME": settings.docker_config,
        },
        now=now,
    )


def text_of(context: Context) -> str:
    """Give what was written to `out` so far."""
    buffer = context.binary_out
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode(errors="surrogateescape")
