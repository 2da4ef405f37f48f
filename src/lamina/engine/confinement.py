"""What `--security-opt` and its kin say about how tightly a container is held, read and checked.

The options are kept as people write them (`HostConfig.SecurityOpt`), but for a filter's file, of which
the content is kept: the container must start without the file.
"""

import os
from collections.abc import Sequence

from lamina.errors import Invalid, Unsupported
from lamina.spec.bundle import MASKED, READ_ONLY
from lamina.values import NamedTuple

__all__ = ["Confinement", "SecurityOptionInvalid", "with_profiles"]

_KNOWN = "no-new-privileges, seccomp, apparmor, label, systempaths, mask, unmask"
_TRUE = ("", "1", "t", "true")
_FALSE = ("0", "f", "false")
_LARGEST = 4 << 20


class SecurityOptionInvalid(Invalid):
    """A `--security-opt` that is not understood."""


class Confinement(NamedTuple):
    """How tightly a container is held beyond its capabilities.

    `seccomp` is empty for the default filter, `unconfined`, or a profile's JSON. `apparmor` is the
    profile's name, or empty. `masked` and `read_only` are paths inside.
    """

    no_new_privileges: bool = False
    seccomp: str = ""
    apparmor: str = ""
    masked: tuple[str, ...] = MASKED
    read_only: tuple[str, ...] = READ_ONLY

    @classmethod
    def parse(cls, options: Sequence[str]) -> "Confinement":
        """Read `HostConfig.SecurityOpt`. Raises: SecurityOptionInvalid, Unsupported, ProfileInvalid."""
        found = cls(masked=(*MASKED, *_thermal()))
        for option in options:
            found = found._with(option)
        return found

    def _with(self, option: str) -> "Confinement":
        name, value = _split(option)
        if name == "no-new-privileges" and value.lower() in (*_TRUE, *_FALSE):
            return self._replace(no_new_privileges=value.lower() in _TRUE)
        if name == "seccomp" and value:
            return self._replace(seccomp=_seccomp(value))
        if name == "apparmor" and value:
            return self._replace(apparmor=_apparmor(value))
        if name == "label" and value:
            _check_label(value)
            return self
        return self._with_paths(name, value, option)

    def _with_paths(self, name: str, value: str, option: str) -> "Confinement":
        if name == "systempaths" and value == "unconfined":
            return self._replace(masked=(), read_only=())
        if name == "mask" and value:
            return self._replace(masked=(*self.masked, *_paths(value, option)))
        if name == "unmask" and value:
            return self._unmasked(value, option)
        raise _not_understood(option)

    def _unmasked(self, value: str, option: str) -> "Confinement":
        patterns = ("*",) if value.upper() == "ALL" else _paths(value, option)

        def kept(paths: tuple[str, ...]) -> tuple[str, ...]:
            from fnmatch import fnmatchcase  # with `re` and `enum`, which nobody else here wants

            return tuple(p for p in paths if not any(fnmatchcase(p, one) for one in patterns))

        return self._replace(masked=kept(self.masked), read_only=kept(self.read_only))


def with_profiles(options: Sequence[str]) -> tuple[str, ...]:
    """Give `options` with the content of a seccomp FILE for its name, as Docker's command does.

    Raises: SecurityOptionInvalid (also where the file cannot be read), ProfileInvalid, Unsupported.
    """
    read = tuple(_with_profile(option) for option in options)
    Confinement.parse(read)
    return read


def _with_profile(option: str) -> str:
    name, path = _split(option)
    if name != "seccomp" or path in ("", "builtin", "unconfined"):
        return option
    from lamina.spec.seccomp_file import read_profile
    from lamina.spec.wire import encode

    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(_LARGEST)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror.lower() if isinstance(error, OSError) and error.strerror else error
        raise SecurityOptionInvalid(
            f"opening seccomp profile ({path}) failed: open {path}: {why}",
            hint="name a file, or builtin, or unconfined",
        ) from None
    return "seccomp=" + encode(read_profile(text)).decode()


def _split(option: str) -> tuple[str, str]:
    """Give name and value: `name=value`, and `name:value` as in older days."""
    equals, colon = option.find("="), option.find(":")
    at = equals if equals >= 0 and (colon < 0 or equals < colon) else colon
    return (option, "") if at < 0 else (option[:at], option[at + 1 :])


def _not_understood(option: str) -> SecurityOptionInvalid:
    return SecurityOptionInvalid(f'invalid --security-opt: "{option}"', hint=f"known are {_KNOWN}")


def _seccomp(value: str) -> str:
    if value == "builtin":
        return ""
    if value == "unconfined":
        return value
    from lamina.spec.seccomp_file import read_profile

    read_profile(value)
    return value


def _paths(value: str, option: str) -> tuple[str, ...]:
    paths = tuple(os.path.normpath(path) for path in value.split(":") if path)
    if not paths or not all(path.startswith("/") and path != "/" for path in paths):
        raise _not_understood(option)
    return paths


def _thermal() -> tuple[str, ...]:
    """List what tells of the processors' heat, by which one container could listen to another."""
    place = "/sys/devices/system/cpu"
    found = [f"{place}/cpu{n}/thermal_throttle" for n in range(os.cpu_count() or 0)]
    return tuple(path for path in found if os.path.isdir(path))


def _apparmor(value: str) -> str:
    """Refuse a profile where nothing could keep it: better than to seem confined."""
    if value == "unconfined":
        return ""
    if not os.path.isdir("/sys/kernel/security/apparmor"):
        raise Unsupported(
            f"the AppArmor profile {value!r} cannot be used: this machine has no AppArmor",
            hint="leave it out, or say --security-opt apparmor=unconfined",
        )
    return value


def _check_label(value: str) -> None:
    if value != "disable":
        raise Unsupported(
            f"the SELinux label {value!r} cannot be given: containers get no labels here",
            hint="leave it out, or say --security-opt label=disable",
        )
