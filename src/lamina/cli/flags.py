"""Flags in Docker's grammar, read by tables; no library does `--rm=false` and `-p=80:80` alike.

A command declares its flags as values; `parse` turns words into `Arguments`. The grammar: `--name
value`, `--name=value`, `-n value`, `-nvalue`, `-n=value`, `-abn value` (booleans bundled), a bare
boolean is true and takes its value only with `=`, and `--` ends the flags.
"""

from __future__ import annotations

from lamina.cli.kinds import (
    BOOL,
    BYTES,
    DECIMAL,
    DURATION,
    FILTER,
    INT,
    LIST,
    MAP,
    STRING,
    UINT,
    Kind,
    Value,
)
from lamina.errors import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "BOOL",
    "BYTES",
    "DECIMAL",
    "DURATION",
    "FILTER",
    "INT",
    "LIST",
    "MAP",
    "STRING",
    "UINT",
    "Arguments",
    "ArityWrong",
    "Command",
    "Flag",
    "FlagInvalid",
    "HelpAsked",
    "check_arity",
    "parse",
]


_SHORT = 3  # letters of a name, of which one wrong is a third


class FlagInvalid(Invalid):
    """A flag is unknown, lacks its value or has one it cannot take. Exit code 125, as Docker's."""

    exit_code = 125


class ArityWrong(Invalid):
    """Too few or too many words."""


class HelpAsked(Exception):
    """`--help` was among the words."""


class Flag:
    """One flag of a command.

    `default` is what holds when the flag is not given (the kind's zero unless said). `value` names
    the value in help instead of the kind. `implied` makes the value optional: `--name` alone means
    `implied`, and another value needs `--name=value`. `hidden` flags work and are not listed.
    """

    __slots__ = ("default", "help", "hidden", "implied", "kind", "name", "short", "value")

    def __init__(
        self,
        name: str,
        short: str = "",
        *,
        kind: Kind = STRING,
        help: str = "",  # noqa: A002 - the word on the screen
        default: Value = None,
        value: str = "",
        implied: str = "",
        hidden: bool = False,
    ) -> None:
        self.name = name
        self.short = short
        self.kind = kind
        self.help = help
        self.default = kind.zero if default is None else default
        self.value = value or kind.name
        self.implied = implied or ("true" if kind is BOOL else "")
        self.hidden = hidden

    @property
    def spelling(self) -> str:
        """The flag as messages name it: `-t, --tty`."""
        return f"-{self.short}, --{self.name}" if self.short else f"--{self.name}"


class Command:
    """What one command is called, takes and says of itself.

    `usage` begins with `lamina NAME`; `arity` is (least, most) words, most None for any number.
    `interspersed=False` ends the flags at the first word, as for `run IMAGE COMMAND`.
    """

    __slots__ = ("arity", "description", "flags", "interspersed", "name", "summary", "usage")

    def __init__(
        self,
        *,
        name: str,
        usage: str,
        summary: str,
        flags: tuple[Flag, ...] = (),
        interspersed: bool = True,
        arity: tuple[int, int | None] = (0, None),
        description: str = "",
    ) -> None:
        self.name = name
        self.usage = usage
        self.summary = summary
        self.flags = flags
        self.interspersed = interspersed
        self.arity = arity
        self.description = description or summary


class Arguments:
    """What was asked for: `positional` words and the value of every flag, given or not.

    `ended` tells that `--` ended the flags before the first word.
    `arguments["name"]` is the untyped value; the methods give it with its type.
    """

    __slots__ = ("_changed", "_values", "ended", "positional")

    def __init__(
        self,
        values: Mapping[str, Value],
        positional: Sequence[str],
        changed: Sequence[str] = (),
        *,
        ended: bool = False,
    ) -> None:
        self.ended = ended
        self._values = values
        self.positional = tuple(positional)
        self._changed = frozenset(changed)

    def __getitem__(self, name: str) -> Value:
        return self._values[name]

    def __contains__(self, name: str) -> bool:
        """Tell whether the command has such a flag."""
        return name in self._values

    def changed(self, name: str) -> bool:
        """Tell whether the flag was given, whatever its value."""
        return name in self._changed

    def flag(self, name: str) -> bool:
        """Give a BOOL flag."""
        return bool(self._values[name])

    def text(self, name: str) -> str:
        """Give a STRING flag."""
        return str(self._values[name])

    def number(self, name: str) -> int:
        """Give an INT, UINT, BYTES, DURATION (nanoseconds) or DECIMAL (billionths) flag."""
        value = self._values[name]
        assert isinstance(value, int)  # noqa: S101 - the flag's table says so
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Give a LIST flag: every value, in the order written."""
        value = self._values[name]
        assert isinstance(value, tuple)  # noqa: S101
        return value

    def pairs(self, name: str) -> dict[str, str]:
        """Give a MAP flag: the last value of each key."""
        value = self._values[name]
        assert isinstance(value, dict)  # noqa: S101
        return value

    def filters(self, name: str = "filter") -> dict[str, tuple[str, ...]]:
        """Give a FILTER flag: every value of each name, names in lower case."""
        value = self._values[name]
        assert isinstance(value, dict)  # noqa: S101
        return value


def parse(flags: Sequence[Flag], words: Sequence[str], *, interspersed: bool = True) -> Arguments:
    """Read `words` by the table `flags`.

    Raises: FlagInvalid, HelpAsked (`--help`, or `-h` where no flag has that letter).
    """
    reading = _Reading(flags, list(words))
    ended = False
    while reading.words:
        word = reading.words.pop(0)
        if word == "--":
            ended = not reading.positional
            reading.positional.extend(reading.words)
            break
        if word.startswith("--"):
            reading.long(word[2:])
        elif word.startswith("-") and word != "-":
            reading.shorts(word[1:])
        else:
            reading.positional.append(word)
            if not interspersed:
                reading.positional.extend(reading.words)
                break
    return Arguments(reading.values, reading.positional, tuple(reading.changed), ended=ended)


def check_arity(command: Command, path: str, count: int) -> ArityWrong | None:
    """Say what is wrong with `count` words for `command`, in Docker's words; None when nothing."""
    least, most = command.arity
    if least <= count and (most is None or count <= most):
        return None
    if most == 0:
        return ArityWrong(f"'lamina {path}' accepts no arguments")
    if least == most:
        wants = _arguments(least)
    elif count < least:
        wants = f"at least {_arguments(least)}"
    else:
        wants = f"at most {_arguments(most or 0)}"
    return ArityWrong(f"'lamina {path}' requires {wants}")


def _arguments(count: int) -> str:
    return f"{count} argument" if count == 1 else f"{count} arguments"


class _Reading:
    """Where one parse stands: the words still to come and what was found so far."""

    __slots__ = ("_by_name", "_by_short", "changed", "positional", "values", "words")

    def __init__(self, flags: Sequence[Flag], words: list[str]) -> None:
        self.words = words
        self.positional: list[str] = []
        self.values: dict[str, Value] = {flag.name: flag.default for flag in flags}
        self.changed: set[str] = set()
        self._by_name = {flag.name: flag for flag in flags}
        self._by_short = {flag.short: flag for flag in flags if flag.short}

    def long(self, text: str) -> None:
        """Take `name`, `name=value` or `name` and the next word."""
        name, equals, value = text.partition("=")
        if not name or name.startswith("-"):
            raise FlagInvalid(f"bad flag syntax: --{text}")
        flag = self._by_name.get(name)
        if flag is None:
            if name == "help":
                raise HelpAsked
            raise FlagInvalid(f"unknown flag: --{name}", hint=_nearest(name, self._by_name))
        if equals:
            self._set(flag, value)
        elif flag.implied:
            self._set(flag, flag.implied)
        elif self.words:
            self._set(flag, self.words.pop(0))
        else:
            raise FlagInvalid(f"flag needs an argument: --{name}")

    def shorts(self, text: str) -> None:
        """Take a bundle of letters; the first one that wants a value takes the rest."""
        rest = text
        while rest:
            letter, rest = rest[0], rest[1:]
            flag = self._by_short.get(letter)
            if flag is None:
                if letter == "h":
                    raise HelpAsked
                raise FlagInvalid(f"unknown shorthand flag: '{letter}' in -{letter}{rest}")
            if len(rest) > 1 and rest[0] == "=":
                self._set(flag, rest[1:])
                return
            if flag.implied:
                self._set(flag, flag.implied)
            elif rest:
                self._set(flag, rest)
                return
            elif self.words:
                self._set(flag, self.words.pop(0))
            else:
                raise FlagInvalid(f"flag needs an argument: '{letter}' in -{letter}")

    def _set(self, flag: Flag, text: str) -> None:
        try:
            value = flag.kind.parse(text)
        except ValueError as error:
            raise FlagInvalid(
                f'invalid argument "{text}" for "{flag.spelling}" flag: {error}'
            ) from None
        if flag.kind.gather is not None and flag.name in self.changed:
            value = flag.kind.gather(self.values[flag.name], value)
        self.values[flag.name] = value
        self.changed.add(flag.name)


def _nearest(name: str, known: Mapping[str, Flag]) -> str:
    from difflib import get_close_matches  # only when something is wrong already

    names = [key for key, flag in known.items() if not flag.hidden]
    near = get_close_matches(name, names, n=1, cutoff=0.7 if len(name) > _SHORT else 0.5)
    return f"did you mean --{near[0]}?" if near else ""
