"""`lamina explain`: what a command does, told while it does it; how an image hangs together."""

from __future__ import annotations

from lamina.cli.flags import BOOL, INT, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.explaining.page import Page
    from lamina.cli.explaining.telling import Entry
    from lamina.cli.flags import Arguments
    from lamina.errors import LaminaError

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="explain",
    usage="lamina explain [OPTIONS] [pull|run|commit|push ARG... | IMAGE]",
    summary="Do a command and tell what it does, or show how an image hangs together",
    description=(
        "Do `lamina pull`, `run`, `commit` or `push` with all its options, and tell on stderr what\n"
        "it does, with the real documents and numbers. The exit code is the command's own.\n"
        "With an IMAGE: show how its manifest, config, diff IDs and chain IDs hang together.\n"
        "An image that is called like a command: `lamina explain -- pull`, or with its tag."
    ),
    flags=(
        Flag("brief", "b", kind=BOOL, help="Leave out what is common knowledge to some"),
        Flag("json", kind=BOOL, help="Print how an image hangs together as JSON"),
        Flag("pause", "p", kind=BOOL, help="Wait for Enter after each step, on a terminal"),
        Flag("svg", help="Draw how an image hangs together to a file", value="file"),
        Flag("width", "w", kind=INT, help="Wrap at this column instead of the terminal's"),
    ),
    interspersed=False,
)


def main(arguments: Arguments, context: Context) -> int:
    """Tell a command, an image, or what can be told."""
    from lamina.cli.explaining.telling import VERBS, tell

    if not arguments.positional:
        from lamina.cli.explaining.lesson import lesson

        lesson(_page(arguments, context, talk=False), context)
        return 0
    word, *rest = arguments.positional
    if word in ("image", "container") and rest and rest[0] in VERBS and not arguments.ended:
        word, *rest = rest
    if word not in VERBS or arguments.ended:
        return _image(word, rest, arguments, context)
    own = next((name for name in ("json", "svg") if arguments.changed(name)), "")
    if own:
        from lamina.errors import Invalid

        raise Invalid(f"--{own} is for an image: a command is told in words")
    from lamina.cli.flags import ArityWrong, FlagInvalid, HelpAsked

    try:
        return tell(word, rest, _entry(word), _page(arguments, context, talk=True), context)
    except HelpAsked:
        from lamina.cli.main import main as lamina

        return lamina([word, "--help"], context)
    except (ArityWrong, FlagInvalid) as error:
        return _misused(error, word, rest, context)


def _entry(verb: str) -> Entry:
    from lamina.cli.commands import commit, pull, push, run

    module = {"commit": commit, "pull": pull, "push": push, "run": run}[verb]
    return module.COMMAND, module.main


def _image(word: str, rest: list[str], arguments: Arguments, context: Context) -> int:
    from lamina.cli.explaining.anatomy import Anatomy, draw
    from lamina.cli.unreadable import image_of
    from lamina.errors import NotFound

    try:
        image, code = image_of(context, word)
    except NotFound as error:
        raise _nearest(word, rest, error) from None
    if rest:
        from lamina.cli.flags import ArityWrong

        raise ArityWrong(
            f"one image at a time: {' '.join(rest)} is too much",
            hint="a command that is explained comes first: lamina explain pull IMAGE",
        )
    anatomy = Anatomy.of(context.engine, word, image)
    path = arguments.text("svg")
    if path == "-" and arguments.flag("json"):
        from lamina.errors import Invalid

        raise Invalid("only one thing can be written to stdout")
    if path:
        from lamina.cli.explaining.picture import picture
        from lamina.cli.files import output_file

        with output_file(context, path, what="write a picture") as out:
            out.write(picture(anatomy).encode())
    if arguments.flag("json"):
        from lamina.cli.formats import show_json

        show_json(context, anatomy.document())
        return code
    if not path:
        draw(anatomy, _page(arguments, context, talk=False))
    return code


def _nearest(word: str, rest: list[str], error: LaminaError) -> LaminaError:
    """Say what may have been meant by a word that is neither a command to be told nor an image here."""
    from difflib import get_close_matches

    from lamina.cli.catalogue import COMMANDS
    from lamina.cli.explaining.telling import VERBS
    from lamina.errors import Invalid

    told = f"{', '.join(VERBS[:-1])} and {VERBS[-1]}"
    near = get_close_matches(word, VERBS, n=1, cutoff=0.6)
    if near:
        words = " ".join(["lamina explain", near[0], *rest])
        return Invalid(
            f"there is no command '{word}' to explain, and no image of that name here",
            hint=f"did you mean `{words}`?",
        )
    if word in COMMANDS:
        return Invalid(
            f"explain does not tell of `{word}`: of {told} it does",
            hint=f"`lamina {word} --help` says what it does",
        )
    error.hint = (
        f"`lamina explain pull {word}` fetches it and tells how; `lamina images` lists what is here"
    )
    return error


def _page(arguments: Arguments, context: Context, *, talk: bool) -> Page:
    from lamina.cli.explaining.page import NARROWEST, Page
    from lamina.errors import Invalid

    width = arguments.number("width")
    if arguments.changed("width") and width < NARROWEST:
        raise Invalid(f"--width {width} is too narrow", hint=f"{NARROWEST} columns are the least")
    return Page(
        context,
        context.err if talk else context.out,
        width=width,
        brief=arguments.flag("brief"),
        pause=arguments.flag("pause"),
    )


def _misused(error: LaminaError, verb: str, words: list[str], context: Context) -> int:
    from lamina.cli.errors import exit_code

    own = next((flag.name for flag in COMMAND.flags if f"--{flag.name}" in words), "")
    hint = (
        f"--{own} is explain's own and comes first: lamina explain --{own} {verb} …"
        if own
        else error.hint
    )
    context.say(f"lamina: {error.message}" + (f"\n{hint}" if hint else ""))
    context.say(
        f"\nUsage:  lamina explain [OPTIONS] {verb} …, with what `lamina {verb} --help` lists"
    )
    return exit_code(error)
