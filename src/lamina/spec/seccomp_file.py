"""System call filters that people bring: Docker's profile, containers/common's, or runtime-spec's own.

Docker's form differs from the runtime-spec's `linux.seccomp` by rules that hold only with or without a
capability, an architecture or a kernel (`includes`, `excludes`), and by `archMap`. Pure.
"""

from collections.abc import Collection, Iterable

from lamina.errors import Invalid
from lamina.spec.wire import Document, decode

__all__ = ["ProfileInvalid", "read_profile", "resolve"]

_ACTIONS = (
    "ALLOW", "ERRNO", "KILL", "KILL_PROCESS", "KILL_THREAD", "LOG", "TRACE", "TRAP",
)  # fmt: skip
_OPERATORS = ("NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ")
_ARGUMENTS = 6
_GO_NAMES = {"x86_64": "amd64", "aarch64": "arm64", "i686": "x86", "armv7l": "arm"}


class ProfileInvalid(Invalid):
    """A filter that cannot be read or makes no sense."""


def read_profile(text: str) -> Document:
    """Read and check a profile, in Docker's words. Raises: ProfileInvalid."""
    try:
        document = decode(text, what="the profile")
    except Invalid as error:
        raise _failed(error.message) from None
    try:
        _check(document)
    except (TypeError, AttributeError, KeyError) as error:
        raise _failed(f"a value of the wrong kind ({error})") from None
    return document


def _failed(why: str) -> ProfileInvalid:
    return ProfileInvalid(
        f"Decoding seccomp profile failed: {why}",
        hint="docs/guides/security.md shows one that works",
    )


def _check(document: Document) -> None:
    if document.get("architectures") and document.get("archMap"):
        raise _failed(
            "'architectures' and 'archMap' were specified in the seccomp profile, "
            "use either 'architectures' or 'archMap'"
        )
    rules = document.get("syscalls") or []
    if not isinstance(rules, list):
        raise _failed("syscalls must be a list")
    if document.get("defaultAction") or rules:
        _check_action(document.get("defaultAction"), "defaultAction")
    _check_errno(document, "default")
    for row in document.get("archMap") or []:
        _check_words([row["architecture"], *(row.get("subArchitectures") or [])])
    _check_words(document.get("architectures") or [])
    for rule in rules:
        _check_rule(rule)


def _check_rule(rule: Document) -> None:
    if rule.get("name") and rule.get("names"):
        raise _failed(
            "'name' and 'names' were specified in the seccomp profile, use either 'name' or 'names'"
        )
    names = _names(rule)
    _check_words(names)
    if not names:
        raise _failed("a rule names no system call")
    _check_action(rule.get("action"), f"action of {names[0]}")
    _check_errno(rule, "")
    for arg in rule.get("args") or []:
        index, op = arg["index"], str(arg["op"])
        if not isinstance(index, int) or not 0 <= index < _ARGUMENTS:
            raise _failed(f"{names[0]} has no argument {index!r}")
        if op not in [f"SCMP_CMP_{name}" for name in _OPERATORS]:
            raise _failed(f"{op!r} is no comparison, in a rule on {names[0]}")
        values: list[object] = [arg["value"], arg.get("valueTwo") or 0]
        for value in values:
            if not isinstance(value, int) or not 0 <= value < 1 << 64:
                raise _failed(f"{value!r} is no value of an argument of {names[0]}")
    for where in ("includes", "excludes"):
        condition = rule.get(where) or {}
        _check_words([*(condition.get("caps") or []), *(condition.get("arches") or [])])
        _version(condition.get("minKernel") or "0.0")


def _check_words(words: Iterable[object]) -> None:
    if isinstance(words, str) or not all(isinstance(word, str) for word in words):
        raise _failed(f"{words!r} is no list of names")


def _check_action(action: object, what: str) -> None:
    if action == "SCMP_ACT_NOTIFY":
        raise _failed("SCMP_ACT_NOTIFY needs an agent that answers, which there is none of here")
    if action not in [f"SCMP_ACT_{name}" for name in _ACTIONS]:
        raise _failed(f"{what} is {action!r}, which is no action")


def _check_errno(row: Document, prefix: str) -> None:
    number: object = _errno(row, prefix)
    if number is not None and (not isinstance(number, int) or not 0 <= number < 1 << 12):
        raise _failed(f"{number!r} is no error number")


def _errno(row: Document, prefix: str) -> int | None:
    """Give the error number of an action: containers/common may name it, everybody else counts."""
    named, numbered = ("defaultErrno", "defaultErrnoRet") if prefix else ("errno", "errnoRet")
    name = row.get(named)
    if not name:
        return row.get(numbered)
    import errno

    found = getattr(errno, str(name), None)
    if not isinstance(found, int):
        raise _failed(f"{name!r} is no error")
    return found


def _names(rule: Document) -> list[str]:
    return [rule["name"]] if rule.get("name") else rule.get("names") or []


def _version(text: str) -> tuple[int, int]:
    """Read the first two numbers of a kernel's version. Raises: ProfileInvalid."""
    major, _, rest = str(text).partition(".")
    minor = rest.partition(".")[0].partition("-")[0]
    if not (major.isdecimal() and minor.isdecimal()):
        raise _failed(f"{text!r} is no kernel version")
    return int(major), int(minor)


def resolve(
    document: Document, capabilities: Collection[str], *, machine: str, kernel: str
) -> Document | None:
    """Give runtime-spec `linux.seccomp` for one container, from what `read_profile` gave.

    `machine` and `kernel` are what `uname -m` and `uname -r` say. None where the profile is empty, which
    Docker takes for no filter at all.
    """
    rules = document.get("syscalls") or []
    if not document.get("defaultAction") and not rules:
        return None
    listed = list(document.get("architectures") or [])
    own = f"SCMP_ARCH_{machine.upper()}"
    for row in document.get("archMap") or []:
        if row["architecture"] == own:
            listed = [own, *(row.get("subArchitectures") or [])]
    result: Document = {"defaultAction": document["defaultAction"]}
    errno = _errno(document, "default")
    if errno is not None:
        result["defaultErrnoRet"] = errno
    if listed:
        result["architectures"] = listed
    if document.get("flags"):
        result["flags"] = document["flags"]
    here = _GO_NAMES.get(machine, machine), _version(kernel)
    result["syscalls"] = [
        _plain(rule) for rule in rules if _applies(rule, frozenset(capabilities), *here)
    ]
    return result


def _applies(rule: Document, held: frozenset[str], arch: str, kernel: tuple[int, int]) -> bool:
    wanted, unwanted = rule.get("includes") or {}, rule.get("excludes") or {}
    if arch in (unwanted.get("arches") or ()) or held & set(unwanted.get("caps") or ()):
        return False
    if unwanted.get("minKernel") and kernel >= _version(unwanted["minKernel"]):
        return False
    if wanted.get("arches") and arch not in wanted["arches"]:
        return False
    if wanted.get("minKernel") and kernel < _version(wanted["minKernel"]):
        return False
    return held >= set(wanted.get("caps") or ())


def _plain(rule: Document) -> Document:
    result: Document = {"names": _names(rule), "action": rule["action"]}
    errno = _errno(rule, "")
    if errno is not None and rule["action"] in ("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE"):
        result["errnoRet"] = errno
    args = rule.get("args") or []
    if args:
        result["args"] = [
            {key: arg.get(key) or 0 for key in ("index", "value", "valueTwo")} | {"op": arg["op"]}
            for arg in args
        ]
    return result
