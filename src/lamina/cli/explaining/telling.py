"""A command done as ever, with a story around it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lamina.cli.context import Context
    from lamina.cli.explaining.page import Page
    from lamina.cli.flags import Arguments, Command
    from lamina.events import Deed, Event
    from lamina.values import Protocol

    Entry = tuple[Command, Callable[[Arguments, Context], int]]

    class Story(Protocol):
        """What one verb has to tell. `hear` may be called by any thread, one at a time."""

        def begin(self) -> None:
            """Tell what is known before anything is done."""

        def hear(self, deed: Event | Deed) -> None:
            """Take one deed, and tell what can be told now."""

        def end(self, code: int) -> None:
            """Tell how it came out."""

        def fail(self) -> None:
            """Tell how far it came: what went wrong is told after."""


__all__ = ["VERBS", "tell"]

VERBS = ("pull", "run", "commit", "push")
"""What can be told, in the order of a lesson."""


def tell(verb: str, words: list[str], entry: Entry, page: Page, context: Context) -> int:
    """Do `lamina VERB WORDS` and tell of it on `page`; give the command's own exit code.

    `entry` is the command and its `main`: the very same, and it alone decides what is done.
    Raises: CommandFailed (told already, with the command's code), FlagInvalid, ArityWrong, HelpAsked.
    """
    from lamina.cli.errors import CommandFailed
    from lamina.cli.explaining.failures import tell_failure
    from lamina.cli.flags import check_arity, parse

    command, function = entry
    arguments = parse(command.flags, words, interspersed=command.interspersed)
    wrong = check_arity(command, verb, len(arguments.positional))
    if wrong is not None:
        raise wrong
    story = _story(verb, page, context, arguments)
    hearing = _Hearing(story, page)
    try:
        hearing.guard(story.begin)
        context.engine.witness = hearing
        code = function(arguments, context)
    except Exception as error:
        if isinstance(error, BrokenPipeError):
            raise
        hearing.guard(story.fail)
        raise CommandFailed(tell_failure(error, page, context)) from error
    else:
        context.out.flush()
        hearing.guard(lambda: story.end(code))
    finally:
        context.engine.witness = None
    return code


def _story(verb: str, page: Page, context: Context, arguments: Arguments) -> Story:
    if verb == "pull":
        from lamina.cli.explaining.pulling import PullStory

        return PullStory.of(page, context, arguments)
    if verb == "push":
        from lamina.cli.explaining.pushing import PushStory

        return PushStory(page, context, arguments)
    if verb == "commit":
        from lamina.cli.explaining.committing import CommitStory

        return CommitStory(page, context, arguments)
    from lamina.cli.explaining.running import RunStory

    return RunStory(page, context, arguments)


class _Hearing:
    """The witness: one deed at a time, and never in the way of what is done."""

    def __init__(self, story: Story, page: Page) -> None:
        from threading import RLock

        self._story = story
        self._page = page
        self._lock = RLock()
        self._is_mute = False

    def __call__(self, deed: Event | Deed) -> None:
        with self._lock:
            self.guard(lambda: self._story.hear(deed))

    def guard(self, telling: Callable[[], None]) -> None:
        """Tell something; what cannot be told is said so, for a story must not spoil the deed.

        Where nobody reads any more, nothing more is told.
        """
        if self._is_mute:
            return
        try:
            telling()
        except Exception as error:  # noqa: BLE001 - see above
            from lamina.cli.errors import words

            try:
                self._page.fact(f"(This step cannot be told: {words(error)[0]})")
            except OSError:
                self._is_mute = True
