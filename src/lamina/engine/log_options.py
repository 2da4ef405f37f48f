"""Log drivers and their options: read, checked in Docker's words, and as the shim takes them."""

from collections.abc import Mapping

from lamina.errors import Invalid, Unsupported
from lamina.spec.wire import Document

__all__ = ["DRIVERS", "LogOptionInvalid", "check_log_options", "log_order"]

DRIVERS = ("json-file", "local", "none")
_KNOWN = {
    "json-file": ("compress", "env", "env-regex", "labels", "labels-regex", "max-file", "max-size", "tag"),
    "local": ("compress", "max-file", "max-size"),
    "none": (),
}  # fmt: skip
_LOCAL = {"max-size": "20m", "max-file": "5"}
_UNITS = {"": 1, "b": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "t": 1000**4}


class LogOptionInvalid(Invalid):
    """No such log driver, no such option of it, or no such value."""

    exit_code = 125


def check_log_options(driver: str, options: Mapping[str, str]) -> None:
    """Refuse what cannot be. Raises: LogOptionInvalid, Unsupported."""
    if driver not in DRIVERS:
        raise LogOptionInvalid(
            f"logger: no log driver named '{driver}' is registered",
            hint=f"use {', '.join(DRIVERS[:-1])} or {DRIVERS[-1]}",
        )
    for name in options:
        if name not in _KNOWN[driver]:
            raise LogOptionInvalid(
                f"unknown log opt '{name}' for {driver} log driver",
                hint=f"there are {', '.join(_KNOWN[driver]) or 'none'}",
            )
    for name in ("env-regex", "labels-regex", "tag"):
        if options.get(name):
            raise Unsupported(
                f"log opt {name!r} is not supported", hint="name labels and env in full"
            )
    if options.get("compress", "false").lower() not in ("false", "0"):
        raise Unsupported("rotated logs are not compressed here", hint="leave compress out")
    _sizes(driver, options)


def _sizes(driver: str, options: Mapping[str, str]) -> tuple[int, int]:
    """Give how many bytes a file may have (0: no end) and how many files there may be."""
    chosen = {**(_LOCAL if driver == "local" else {}), **options}
    text = chosen.get("max-size", "-1")
    size = 0 if text == "-1" else _bytes(text)
    count = chosen.get("max-file", "1")
    if not (count.isascii() and count.isdigit()):
        raise LogOptionInvalid(f"invalid value for max-file: {count}", hint="a number, 1 or more")
    if int(count) < 1:
        raise LogOptionInvalid("max-file cannot be less than 1")
    if int(count) > 1 and not size:
        raise LogOptionInvalid(
            "max-file cannot be used without max-size", hint="--log-opt max-size=10m, for example"
        )
    return size, int(count)


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


def log_order(host: Document, config: Document) -> Document:
    """Give what the shim needs to keep a container's log; empty for the driver `none`."""
    chosen = host["LogConfig"]
    driver, options = str(chosen["Type"]), chosen.get("Config") or {}
    if driver == "none":
        return {}
    size, count = _sizes(driver, options)
    labels = config.get("Labels") or {}
    variables = dict(row.partition("=")[::2] for row in config.get("Env") or ())
    attributes = {}
    for name, values in (("labels", labels), ("env", variables)):
        for key in str(options.get(name) or "").split(","):
            if key in values:
                attributes[key] = values[key]
    return {"max_size": size, "max_files": count, "attributes": attributes}
