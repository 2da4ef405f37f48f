"""Where things live and which defaults hold, read once from the environment."""

import os
import stat
from collections.abc import Mapping

from lamina.errors import Invalid
from lamina.values import dataclass

__all__ = ["DEFAULT_REGISTRY", "HUB_ADDRESS", "MAX_LOWERS", "UNDO_S", "Settings", "home_of"]

DEFAULT_REGISTRY = "docker.io"
HUB_ADDRESS = ("127.0.0.1", 5000)
MAX_LOWERS = 500
"""Read-only layers that overlayfs stacks under one mount (OVL_MAX_STACK)."""
UNDO_S = 3600
"""How long removed images are kept for `lamina undo`; decision 10 says why."""

_OUTER_UID = "LAMINA_ROOTLESS_UID"  # inside our own user namespace that one counts
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SIZES = {"k": 1, "m": 2, "g": 3, "t": 4}
_FIREWALLS = ("nftables", "iptables", "none")
_TUNNELS = ("pasta", "slirp4netns")
_WORDS = {"erofs": ("file", "loop", "none"), "directio": ("on", "off")}


@dataclass(frozen=True, slots=True)
class Settings:
    """Every place and choice of one engine. Paths are absolute.

    `root` keeps images and containers across reboots; `run_root` keeps sockets and mount points
    and may vanish at a reboot. `docker_config` is the folder of docker's own config.json.

    Of the storage options, `erofs` says how sealed layers are mounted: `file`, `loop` (by a loop
    device) or `none`; empty: the best that the kernel has. `directio` reads them around the page
    cache of the file. Images of more than `max_lowers` layers have their lowest ones merged.

    Removed images are kept for `undo_s` seconds where the room is not needed; 0: not at all.
    What images bring may not make the root larger than `quota` bytes; 0: as large as the disk.

    `firewall` makes root's networks use `nftables`, `iptables` or `none`; `tunnel` a plain user's
    `pasta` or `slirp4netns`. Empty: what is there.
    """

    root: str
    run_root: str
    docker_config: str
    storage_driver: str = ""
    runtime: str = ""
    layer_workers: int = 3
    erofs: str = ""
    directio: bool = True
    max_lowers: int = MAX_LOWERS
    undo_s: int = UNDO_S
    quota: int = 0
    firewall: str = ""
    tunnel: str = ""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Read LAMINA_ROOT, LAMINA_RUN_ROOT, LAMINA_STORAGE_DRIVER, LAMINA_RUNTIME, DOCKER_CONFIG.

        LAMINA_STORAGE_OPT has the storage options: `erofs=loop,directio=off,max-lowers=100`;
        LAMINA_UNDO how long removed images are kept: `1h`, `30m`, `90s`, `2d` or `off`;
        LAMINA_QUOTA how large the root may become: `20GB`, `500MB`, `1.5TiB` or `off`.
        LAMINA_FIREWALL and LAMINA_ROOTLESS_NETWORK what networks go through.
        Unset: root uses /var/lib/lamina and /run/lamina; others use the XDG folders. A root of
        one's own gets a run root of its own, so that two roots never share mounts or sockets.
        Raises: Invalid (an option that does not exist; no home; somebody else's run root).
        """
        env = os.environ if environ is None else environ
        uid = os.geteuid()
        if env.get(_OUTER_UID):
            uid = int(env[_OUTER_UID])
        run_base = "/run/lamina" if uid == 0 else f"{_runtime_folder(env, uid)}/lamina"
        if env.get("LAMINA_ROOT"):
            root = os.path.abspath(env["LAMINA_ROOT"])
            run_root = f"{run_base}-{_short_name(root)}"
        else:
            root = "/var/lib/lamina" if uid == 0 else f"{_data_folder(env, uid)}/lamina"
            run_root = run_base
        options = _storage_options(env.get("LAMINA_STORAGE_OPT", ""))
        return cls(
            root=root,
            run_root=env.get("LAMINA_RUN_ROOT") or run_root,
            docker_config=env.get("DOCKER_CONFIG") or os.path.join(home_of(env), ".docker"),
            storage_driver=env.get("LAMINA_STORAGE_DRIVER", ""),
            runtime=env.get("LAMINA_RUNTIME", ""),
            erofs=options.get("erofs", ""),
            directio=options.get("directio") != "off",
            max_lowers=int(options.get("max-lowers", MAX_LOWERS)),
            undo_s=_seconds(env["LAMINA_UNDO"]) if env.get("LAMINA_UNDO") else UNDO_S,
            quota=_bytes(env.get("LAMINA_QUOTA", "")),
            firewall=_one_of(env, "LAMINA_FIREWALL", _FIREWALLS),
            tunnel=_one_of(env, "LAMINA_ROOTLESS_NETWORK", _TUNNELS),
        )


def home_of(environ: Mapping[str, str]) -> str:
    """Give the person's home folder: HOME, else the account's, which may have none: `/` then."""
    return environ.get("HOME") or _account_home(environ) or "/"


def _account_home(environ: Mapping[str, str]) -> str:
    """Give the account's home. In our own user namespace that is the outer one's, not root's."""
    import pwd

    try:
        return pwd.getpwuid(int(environ.get(_OUTER_UID) or os.geteuid())).pw_dir
    except KeyError:
        return ""


def _data_folder(env: Mapping[str, str], uid: int) -> str:
    """Give where a plain user's programs keep data. Raises: Invalid (nowhere)."""
    if env.get("XDG_DATA_HOME"):
        return env["XDG_DATA_HOME"]
    home = env.get("HOME") or _account_home(env)
    if not home:
        raise Invalid(
            f"user {uid} has no home folder, and HOME is not set",
            hint="set HOME, or LAMINA_ROOT to a folder that is to keep images and containers",
        )
    return os.path.join(home, ".local", "share")


def _runtime_folder(env: Mapping[str, str], uid: int) -> str:
    """Give where a plain user's programs keep sockets.

    XDG_RUNTIME_DIR is another user's after `sudo` or `su`, and unset in a job of cron's: the same
    person's containers are to be found from there, too. Raises: Invalid (what is left is not ours).
    """
    for folder in (env.get("XDG_RUNTIME_DIR", ""), f"/run/user/{uid}"):
        if folder and os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK):
            return folder
    folder = f"/tmp/lamina-{uid}"  # noqa: S108 - looked at, below
    try:
        found = os.lstat(folder)
    except FileNotFoundError:
        return folder
    if found.st_uid not in (uid, os.geteuid()) or not stat.S_ISDIR(found.st_mode):
        raise Invalid(
            f"{folder} is somebody else's", hint="set XDG_RUNTIME_DIR to a folder of your own"
        )
    return folder


def _one_of(env: Mapping[str, str], name: str, words: tuple[str, ...]) -> str:
    """Read a choice; a colon may follow with more. Raises: Invalid."""
    text = env.get(name, "")
    if text and text.partition(":")[0] not in words:
        raise Invalid(f"{name}={text}: unknown", hint=f"one of {', '.join(words)}")
    return text


def _storage_options(text: str) -> dict[str, str]:
    """Read `key=value` pairs separated by commas. Raises: Invalid."""
    found = {}
    for pair in filter(None, text.split(",")):
        key, _, value = (part.strip() for part in pair.partition("="))
        if key == "max-lowers":
            good = value.isascii() and value.isdigit() and 2 <= int(value) <= MAX_LOWERS  # noqa: PLR2004 - one would be a copy
            allowed = f"a number from 2 to {MAX_LOWERS}"
        elif key in _WORDS:
            good = value in _WORDS[key]
            allowed = " or ".join(_WORDS[key])
        else:
            raise Invalid(
                f"unknown storage option {key!r}",
                hint=f"there are {', '.join(_WORDS)} and max-lowers",
            )
        if not good:
            raise Invalid(f"storage option {key}={value}: it takes {allowed}")
        found[key] = value
    return found


def _seconds(text: str) -> int:
    """Read a span such as `1h`, `30m`, `90s`, `2d`, `off`. Raises: Invalid."""
    if text in ("off", "0"):
        return 0
    number, unit = text[:-1], text[-1:]
    if not (number.isascii() and number.isdigit()) or unit not in _UNITS:
        raise Invalid(
            f"LAMINA_UNDO={text}: not a time", hint="write 1h, 30m, 90s, 2d, or off for none"
        )
    return int(number) * _UNITS[unit]


def _bytes(text: str) -> int:
    """Read a size such as `20GB`, `500MB`, `1.5TiB`; `off` and nothing are 0. Raises: Invalid."""
    if text in ("", "off", "0"):
        return 0
    word = text.strip().lower().removesuffix("b")
    step = 1024 if word.endswith("i") else 1000
    unit = word.removesuffix("i")[-1:]
    number = word.removesuffix("i").removesuffix(unit).strip()
    if unit not in _SIZES or not number.replace(".", "", 1).isdigit() or not number.isascii():
        raise Invalid(
            f"LAMINA_QUOTA={text}: not a size", hint="write 20GB, 500MB, 1.5TiB, or off for none"
        )
    return int(float(number) * step ** _SIZES[unit])


def _short_name(path: str) -> str:
    """Name a path in 12 characters: sockets have 108 bytes for all of theirs."""
    from binascii import crc32

    data = os.fsencode(path)
    return f"{crc32(data):08x}{len(data):04x}"
