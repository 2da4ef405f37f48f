"""Log drivers and their options: read, checked in Docker's words, and as the shim takes them."""

from lamina.errors import Invalid
from lamina.spec.wire import Document

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from lamina.engine.records import ContainerRecord

__all__ = ["DRIVERS", "LogOptionInvalid", "check_log_options", "log_order"]

DRIVERS = ("json-file", "local", "none")
_ELSEWHERE = {
    "passthrough": "output goes through the container's own process here: `--log-driver none` keeps none "
    "of it, and `lamina run` without -d passes it on",
    "passthrough-tty": "run it with -t and `--log-driver none`: nothing is kept of what passes",
    "k8s-file": "json-file keeps the same lines",
    "journald": "run it without -d in a unit of systemd: its output goes to the journal",
}
"""What does the same as a driver of podman's or Docker's that there is not."""
_ANY = ("max-buffer-size", "mode")
_SIZES = ("compress", "max-file", "max-size")
_ATTRIBUTES = ("env", "env-regex", "labels", "labels-regex", "tag")
_KNOWN = {
    "json-file": (*_ATTRIBUTES, *_SIZES, *_ANY),
    "local": (*_SIZES, *_ANY),
}
_LOCAL = {"max-size": "20m", "max-file": "5"}
_MODES = ("", "blocking", "non-blocking")
_UNITS = {"": 1, "b": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "t": 1000**4}
_TRUE = frozenset(("1", "t", "T", "TRUE", "true", "True"))
_FALSE = frozenset(("0", "f", "F", "FALSE", "false", "False"))
_TAGS: "dict[str, Callable[[ContainerRecord], str]]" = {
    "ID": lambda record: record.id[:12],
    "FullID": lambda record: record.id,
    "Name": lambda record: record.name,
    "ImageID": lambda record: record.image_id.short,
    "ImageFullID": lambda record: str(record.image_id),
    "ImageName": lambda record: record.image_name,
    "Command": lambda record: " ".join((record.path, *record.args)),
    "DaemonName": lambda _: "lamina",
}


class LogOptionInvalid(Invalid):
    """No such log driver, no such option of it, or no such value."""

    exit_code = 125


def check_log_options(driver: str, options: "Mapping[str, str]") -> None:
    """Refuse what cannot be. Raises: LogOptionInvalid."""
    if driver not in DRIVERS:
        raise LogOptionInvalid(
            f"logger: no log driver named '{driver}' is registered",
            hint=_ELSEWHERE.get(driver) or f"use {', '.join(DRIVERS[:-1])} or {DRIVERS[-1]}",
        )
    if driver == "none" and options:
        raise LogOptionInvalid(
            "invalid logging opts for driver none", hint="leave --log-opt out: nothing is kept"
        )
    for name in options:
        if name not in _KNOWN[driver]:
            words = f"{driver} log driver" if driver == "json-file" else f"log driver {driver}"
            raise LogOptionInvalid(
                f"unknown log opt '{name}' for {words}",
                hint=f"there are {', '.join(_KNOWN[driver])}",
            )
    if driver != "none":
        _check_mode(options)
        _keeping(driver, options)
        for _ in _pieces(options.get("tag", "")):
            pass
        for name in ("env-regex", "labels-regex"):
            _search(name, options.get(name, ""))


def _check_mode(options: "Mapping[str, str]") -> None:
    """Check how output is handed over. A log of ours is a file that is written at once, either way."""
    mode = options.get("mode", "")
    if mode not in _MODES:
        raise LogOptionInvalid(
            f"logger: logging mode not supported: {mode}", hint="blocking or non-blocking"
        )
    if "max-buffer-size" in options:
        if mode != "non-blocking":
            raise LogOptionInvalid(
                "logger: max-buffer-size option is only supported with 'mode=non-blocking'",
                hint="add --log-opt mode=non-blocking, or leave max-buffer-size out",
            )
        _bytes(options["max-buffer-size"])


def _keeping(driver: str, options: "Mapping[str, str]") -> tuple[int, int, bool]:
    """Give how many bytes a file may have (0: no end), how many files, whether they are packed."""
    chosen = {**(_LOCAL if driver == "local" else {}), **options}
    text = chosen.get("max-size", "-1")
    size = 0 if text == "-1" else _bytes(text)
    count = chosen.get("max-file", "1")
    if not (count.isascii() and count.isdigit()):
        raise LogOptionInvalid(
            f'strconv.Atoi: parsing "{count}": invalid syntax', hint="max-file is 1 or more"
        )
    if int(count) < 1:
        raise LogOptionInvalid("max-file cannot be less than 1")
    if int(count) > 1 and not size:
        raise LogOptionInvalid(
            "max-file cannot be used without max-size", hint="--log-opt max-size=10m, for example"
        )
    compress = chosen.get("compress", "")
    if not compress:
        return size, int(count), driver == "local" and int(count) > 1
    if compress not in _TRUE | _FALSE:
        raise LogOptionInvalid(
            f'strconv.ParseBool: parsing "{compress}": invalid syntax', hint="true or false"
        )
    if compress in _TRUE and (int(count) < 2 or not size):  # noqa: PLR2004 - one is never rotated
        raise LogOptionInvalid(
            "compress cannot be true when max-file is less than 2 or max-size is not set",
            hint="--log-opt max-size=10m --log-opt max-file=3, for example",
        )
    return size, int(count), compress in _TRUE


def _bytes(text: str) -> int:
    """Read a size as Docker's log drivers do, with units of a thousand."""
    lower = text.strip().lower().removesuffix("b")
    number = lower.rstrip("kmgt")
    unit = lower[len(number) :]
    if not number.isascii() or not number.replace(".", "", 1).isdigit() or unit not in _UNITS:
        raise LogOptionInvalid(f"invalid size: '{text}'", hint="10m, for example")
    size = int(float(number) * _UNITS[unit])
    if size <= 0:
        raise LogOptionInvalid("max-size must be a positive number")
    return size


def log_order(record: "ContainerRecord") -> Document:
    """Give what the shim needs to keep a container's log; empty for the driver `none`."""
    chosen = record.host["LogConfig"]
    driver, options = str(chosen["Type"]), chosen.get("Config") or {}
    if driver == "none":
        return {}
    size, count, compress = _keeping(driver, options)
    return {
        "max_size": size,
        "max_files": count,
        "compress": compress,
        "attributes": _attributes(record, options),
    }


def _attributes(record: "ContainerRecord", options: Document) -> Document:
    """Give what goes with each line: chosen labels and variables, and the tag."""
    found: Document = {}
    labels = record.config.get("Labels") or {}
    variables = dict(row.partition("=")[::2] for row in record.config.get("Env") or ())
    for name, values in (("labels", labels), ("env", variables)):
        chosen = str(options.get(name) or "").split(",")
        found |= {key: values[key] for key in chosen if key in values}
        search = _search(f"{name}-regex", str(options.get(f"{name}-regex") or ""))
        found |= {key: value for key, value in values.items() if search(key)}
    tag = str(options.get("tag") or "")
    if tag:
        found["tag"] = "".join(
            _TAGS[text](record) if is_field else text for text, is_field in _pieces(tag)
        )
    return found


def _search(name: str, pattern: str) -> "Callable[[str], object]":
    """Give the test of an option that is a regular expression; an empty one fits nothing."""
    if not pattern:
        return lambda _: False
    import re

    try:
        return re.compile(pattern).search
    except re.error as error:
        raise LogOptionInvalid(
            f"invalid {name} {pattern!r}: {error}",
            hint="a regular expression, such as ^com.example",
        ) from error


def _pieces(tag: str) -> "Iterator[tuple[str, bool]]":
    """Give the parts of a tag: text, and names of fields (`True`). Raises: LogOptionInvalid."""
    rest = tag
    while rest:
        text, opened, rest = rest.partition("{{")
        if text:
            yield text, False
        if not opened:
            return
        inner, closed, rest = rest.partition("}}")
        field = inner.strip(" -")
        if not closed or field[:1] != "." or field[1:] not in _TAGS:
            raise LogOptionInvalid(
                f"log opt tag={tag}: there is no field {field or 'here'!r}",
                hint=f"fields are {', '.join('{{.' + name + '}}' for name in _TAGS)}",
            )
        yield field[1:], True
