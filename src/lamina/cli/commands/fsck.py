"""`lamina fsck`: hash everything, look for what is missing, and put right what can be."""

from __future__ import annotations

from lamina.cli.flags import BOOL, Command, Flag
from lamina.cli.formats import JSON, show_json
from lamina.cli.units import human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.engine.fsck import Finding, Report

__all__ = ["COMMAND", "main"]

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

    report = check(context.engine)
    if arguments.flag("repair") and not report.is_clean:
        from lamina.engine.mend import mend

        report = mend(context.engine, report)
    if arguments.flag("json"):
        show_json(context, [_document(finding) for finding in report.findings])
    elif not arguments.flag("quiet"):
        _print(context, report, repaired=arguments.flag("repair"))
    return 0 if report.is_clean else 1


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
