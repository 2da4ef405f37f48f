"""`lamina fsck`: hash everything, look for what is missing, and put right what can be."""

from __future__ import annotations

import os

from lamina.cli.flags import BOOL, Command, Flag
from lamina.cli.formats import JSON, show_json
from lamina.cli.units import human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.engine.findings import Finding, Report

__all__ = ["COMMAND", "main"]

_FRAME_S = 0.1

COMMAND = Command(
    name="fsck",
    usage="lamina fsck [OPTIONS]",
    summary="Check every stored byte, and repair what is damaged",
    flags=(
        JSON,
        Flag("quiet", "q", kind=BOOL, help="Only tell by the exit code"),
        Flag(
            "repair",
            kind=BOOL,
            help="Make damaged layers again and fetch damaged blobs again; removes nothing",
        ),
    ),
    arity=(0, 0),
)


def main(arguments: Arguments, context: Context) -> int:
    """Print one line per finding; 0 when the store is clean or was mended, else 1."""
    from lamina.engine.fsck import check

    unpacked = f"{context.settings.root}/snapshots/unpacked"
    if os.path.isdir(unpacked) and os.listdir(unpacked):
        context.enter_namespace()  # a plain user cannot read what belongs to others inside it
    quiet = arguments.flag("quiet") or not context.err.isatty()
    meter = _Meter(context)
    report = check(context.engine, told=None if quiet else meter)
    if arguments.flag("repair") and not report.is_clean:
        from lamina.engine.mend import mend

        report = mend(context.engine, report, told=None if quiet else meter.mending)
    meter.close()
    if arguments.flag("json"):
        show_json(context, [_document(finding) for finding in report.findings])
    elif not arguments.flag("quiet"):
        _print(context, report, repaired=arguments.flag("repair"))
    return 0 if report.is_clean else 1


class _Meter:
    """How far a check is, on one line of a terminal that is gone at the end."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._shown = 0.0
        self._drawn = False

    def __call__(self, done: int, total: int) -> None:
        """Draw, ten times a second at most."""
        now = self._context.now()
        if total and abs(now - self._shown) >= _FRAME_S:
            self._shown = now
            self._draw(
                f"Checking: {human_size(done)} of {human_size(total)}, {done * 100 // total}%"
            )

    def mending(self, finding: Finding) -> None:
        """Draw what was tried to be put right."""
        self._draw(f"Repairing: {finding.part} {finding.subject}")

    def close(self) -> None:
        """Take the line away."""
        if self._drawn:
            self._draw("")

    def _draw(self, text: str) -> None:
        self._drawn = True
        self._context.err.write(f"\r{text[: self._context.size()[0] - 1]}\x1b[K")
        self._context.err.flush()


def _print(context: Context, report: Report, *, repaired: bool) -> None:
    for finding in report.findings:
        context.print(f"{finding.health}: {_line(finding)}")
    context.print(
        f"Checked {report.images} names, {report.blobs} blobs and {report.layers} layers, "
        f"{human_size(report.size)}"
    )
    broken = sum(1 for finding in report.findings if finding.health == "broken")
    if not broken:
        context.print("Everything is as it should be")
        return
    context.say(f"lamina: {broken} problem{'s' if broken > 1 else ''} found")
    if repaired:
        context.say("hint: pull the images named above again, or remove them with `lamina rmi`")
    else:
        context.say("hint: `lamina fsck --repair` mends what can be mended and removes nothing")


def _line(finding: Finding) -> str:
    line = f"{finding.shape} {finding.part} {finding.subject}: {finding.detail}"
    return f"{line} (in {', '.join(finding.images)})" if finding.images else line


def _document(finding: Finding) -> dict[str, object]:
    return {
        "health": str(finding.health),
        "shape": str(finding.shape),
        "part": str(finding.part),
        "subject": finding.subject,
        "detail": finding.detail,
        "images": list(finding.images),
    }
