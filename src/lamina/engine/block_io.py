"""`--blkio-weight-device` and the `--device-read-bps` family: rows of a device and a number."""

import os

from lamina.engine.limits import LimitInvalid
from lamina.spec.limits import Limits

__all__ = ["check_block_io", "device_number", "parse_rate", "parse_weight"]

_WEIGHTS = range(10, 1001)


def parse_weight(text: str) -> tuple[str, int]:
    """Read `/dev/sda:500`. Raises: LimitInvalid."""
    path, number = _split(text, "weight")
    if not number.isascii() or not number.isdigit() or int(number) not in (0, *_WEIGHTS):
        raise LimitInvalid(f"invalid weight for device: {text}", hint="a number from 10 to 1000")
    return path, int(number)


def parse_rate(text: str, *, sized: bool) -> tuple[str, int]:
    """Read `/dev/sda:1mb`, or without units where not `sized`. Raises: LimitInvalid."""
    path, number = _split(text, "rate")
    try:
        rate = _bytes(number) if sized else int(number)
    except ValueError:
        rate = -1
    if rate < 0:
        unit = "[<unit>]" if sized else ""
        end = ". Unit is optional and can be kb, mb, or gb" if sized else ""
        raise LimitInvalid(
            f"invalid rate for device: {text}. The correct format is <device-path>:<number>{unit}. "
            f"Number must be a positive integer{end}"
        )
    return path, rate


def _split(text: str, what: str) -> tuple[str, str]:
    path, colon, number = text.rpartition(":")
    if not (colon and path and number):
        raise LimitInvalid(f"bad format: {text}", hint=f"write /dev/sda:{what}")
    if not path.startswith("/dev/"):
        raise LimitInvalid(f"bad format for device path: {text}", hint="it begins with /dev/")
    return path, number


def _bytes(text: str) -> int:
    digits = text.rstrip("bkmgtBKMGTi")
    unit = text[len(digits) :].lower().removesuffix("b").removesuffix("i")
    if unit not in ("", "k", "m", "g", "t"):
        raise ValueError(text)
    return int(float(digits) * (1 << 10 * " kmgt".index(unit or " ")))


def check_block_io(limits: Limits) -> None:
    """Refuse a weight that the kernel would, and devices that are not here. Raises: LimitInvalid."""
    if limits.io_weight and limits.io_weight not in _WEIGHTS:
        raise LimitInvalid("Range of blkio weight is from 10 to 1000")
    limits.named(device_number)


def device_number(path: str) -> str:
    """Give `8:0` for a block device's path. Raises: LimitInvalid."""
    import stat

    try:
        info = os.stat(path)
    except OSError as error:
        raise LimitInvalid(f"no such device: {path}: {error.strerror}") from error
    if not stat.S_ISBLK(info.st_mode):
        raise LimitInvalid(f"not a block device: {path}", hint="`lsblk -p` lists those")
    return f"{os.major(info.st_rdev)}:{os.minor(info.st_rdev)}"
