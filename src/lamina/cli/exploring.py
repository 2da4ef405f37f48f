"""What `lamina explore` gives to programs and pipelines: a JSON document, a page, a verdict."""

from __future__ import annotations

from contextlib import contextmanager

from lamina.cli.flags import BOOL, LIST, STRING, Flag
from lamina.errors import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.engine.partial_study import PartialStudy
    from lamina.engine.study import Study
    from lamina.study.exploration import Exploration
    from lamina.study.exploration_document import FileRows
    from lamina.study.rules import Judged, Rule, Verdict

__all__ = ["FLAGS", "is_asked", "tell"]

FLAGS = (
    Flag("ci", kind=BOOL, help="Judge the image by rules, and end with code 1 where one fails"),
    Flag(
        "ci-config",
        kind=STRING,
        value="file",
        help="File of rules for --ci (default .lamina-ci, or else .dive-ci)",
    ),
    Flag(
        "deep",
        kind=BOOL,
        help="Also find duplicates and zeros for --json, --html and --ci: reads most of the image",
    ),
    Flag(
        "html", kind=STRING, value="file", help="Write one page that says everything (- for STDOUT)"
    ),
    Flag("json", kind=BOOL, help="Print everything as JSON, the files of each layer too"),
    Flag(
        "rule",
        kind=LIST,
        help="Rule for --ci, as waste<20MB, efficiency>0.95, no-secrets or max-size=500MB",
    ),
)
_FILES = (".lamina-ci", ".dive-ci")
_STDOUT = "-"
_AT_ONCE = 1000


def is_asked(arguments: Arguments) -> bool:
    """Tell whether something is asked for that needs no terminal."""
    return any(arguments.changed(name) for name in ("ci", "ci-config", "html", "json", "rule"))


def tell(arguments: Arguments, context: Context) -> int:
    """Write what is asked for; give the exit code. Of a container: of its image.

    A layer that is not whole is told of, and makes the code 1.
    Raises: RuleInvalid, Invalid (two things on one stdout), ImageUnknown, LayerUnknown, Corrupt, OSError.
    """
    asks_for_verdict = any(arguments.changed(name) for name in ("ci", "ci-config", "rule"))
    html = arguments.text("html")
    if arguments.changed("html") and not html:
        raise Invalid("--html needs the name of a file", hint="`--html -` writes to STDOUT")
    if html == _STDOUT and (asks_for_verdict or arguments.flag("json")):
        raise Invalid(
            "--html - leaves no STDOUT for anything else", hint="name a file for the page"
        )
    from lamina.cli.unreadable import tell_damage

    source, rules = _rules(arguments) if asks_for_verdict else ("", [])
    with _opened(arguments, context) as opened:
        lost = {number: damage.said for number, damage in opened.lost.items()}
        tell_damage(context, opened.told)
        study = opened.study
        code = 0
        if asks_for_verdict:
            code = _judge(study, source, rules, arguments, context)
        if html or not asks_for_verdict:
            _write(study, html, lost, arguments, context, document=not asks_for_verdict)
    return 1 if opened.told else code


@contextmanager
def _opened(arguments: Arguments, context: Context) -> Iterator[PartialStudy]:
    """Open what is here as far as it can be read, or what is at a registry."""
    from lamina.cli.studying import is_remote
    from lamina.cli.studying import opened as opened_whole
    from lamina.engine.partial_study import PartialStudy, partly_studied

    name = arguments.positional[0]
    if is_remote(arguments, name):
        with opened_whole(context, arguments, name) as study:
            yield PartialStudy(study, {})
    else:
        with partly_studied(context.engine, name) as found:
            yield found


def _write_page(found: Exploration, place: str, context: Context) -> None:
    from lamina import __version__
    from lamina.study.drawing.page import page

    text = page(found, version=__version__).encode()
    if place == _STDOUT:
        context.binary_out.write(text)
        return
    from lamina.cli.files import output_file

    with output_file(context, place, what="write a page") as file:
        file.write(text)
    context.say(f"wrote {place}")


def _write(
    study: Study,
    html: str,
    lost: Mapping[int, str],
    arguments: Arguments,
    context: Context,
    *,
    document: bool,
) -> None:
    """Write the page, the document, or both, of one look at the image."""
    deep = arguments.flag("deep")
    if not (document and arguments.flag("json")):
        _write_page(study.explore(deep=deep, lost=lost), html, context)
        return
    from lamina.study.exploration_document import FileRows

    with FileRows(len(study.image_layers)) as rows:
        found = study.explore(deep=deep, lost=lost, rows=rows)
        if html:
            _write_page(found, html, context)
        _write_document(found, rows, context)


def _write_document(found: Exploration, rows: FileRows, context: Context) -> None:
    """Write pieces as they come, some at a time."""
    from itertools import islice

    from lamina.study.exploration_document import written

    pieces = written(found, rows)
    while some := list(islice(pieces, _AT_ONCE)):
        context.binary_out.write("".join(some).encode())


def _rules(arguments: Arguments) -> tuple[str, Sequence[Rule]]:
    """Give the rules that hold, and where they are from; those of `--rule` go before a file's."""
    from lamina.study.rules import DEFAULTS, Rule, RuleInvalid, parse_file

    given = [Rule.parse(text) for text in arguments.texts("rule")]
    named = arguments.text("ci-config")
    for place in (named,) if named else _FILES:
        try:
            with open(place, encoding="utf-8", errors="replace") as file:
                rules = parse_file(file.read(), name=place)
        except FileNotFoundError:
            if named:
                raise RuleInvalid(
                    f"there is no file {place}", hint="a line for each rule, as `no-secrets`"
                ) from None
            continue
        names = {rule.name for rule in given}
        return place, [*(rule for rule in rules if rule.name not in names), *given]
    return ("--rule", given) if given else ("lamina's own", DEFAULTS)


def _judge(
    study: Study, source: str, rules: Sequence[Rule], arguments: Arguments, context: Context
) -> int:
    from lamina.study.rules import Judged

    image = study.image
    judged = Judged(study.image_layers, image.config, image.manifest, deep=arguments.flag("deep"))
    verdicts = judged.by(rules)
    if arguments.flag("json"):
        from lamina.cli.formats import show_json

        show_json(context, _document(study, source, verdicts))
    else:
        _say(study, judged, source, verdicts, context)
    return 0 if all(one.passed for one in verdicts) else 1


def _say(
    study: Study, judged: Judged, source: str, verdicts: Sequence[Verdict], context: Context
) -> None:
    from lamina.cli.table import render
    from lamina.study.drawing.markup import count_text, size_text

    count = count_text(len(judged.sizes), "layer")
    context.print(f"{study.name}  {size_text(sum(judged.sizes))} in {count}; rules: {source}")
    rows = [["pass" if one.passed else "FAIL", one.rule.text, one.said] for one in verdicts]
    context.out.write(render(rows, least=4, padding=2))
    failed = [one for one in verdicts if not one.passed]
    if not failed:
        context.print(f"all of {count_text(len(verdicts), 'rule')} kept")
        return
    context.print(f"{len(failed)} of {count_text(len(verdicts), 'rule')} failed")
    subjects = {one.rule.subject for one in failed}
    hints = {
        "waste": subjects & {"waste", "efficiency", "user-waste"},
        "secrets": subjects & {"no-secrets"},
        "layers": subjects & {"size", "download", "layer", "layers"},
        "packages": subjects & {"no-package"},
    }
    commands = [f"`lamina {name} {study.name}`" for name, asked in hints.items() if asked]
    context.say(f"hint: {' and '.join(commands)} {'says' if len(commands) == 1 else 'say'} more")


def _document(study: Study, source: str, verdicts: Sequence[Verdict]) -> dict[str, object]:
    return {
        "image": study.name,
        "id": str(study.image.config.digest),
        "passed": all(one.passed for one in verdicts),
        "source": source,
        "rules": [
            {
                "rule": one.rule.text,
                "passed": one.passed,
                "figure": one.figure,
                "said": one.said,
            }
            for one in verdicts
        ],
    }
