"""Which files of an image answers are read from: packages' databases and lists, and what the system calls itself."""

from lamina.study.installed import PLACES

__all__ = ["is_record"]

_FILES = frozenset((
    b"var/lib/dpkg/status", b"lib/apk/db/installed", b"usr/lib/apk/db/installed", b"etc/os-release",
    b"usr/lib/os-release",
))  # fmt: skip
_FOLDERS = (b"var/lib/dpkg/status.d/", b"var/lib/rpm/", b"usr/lib/sysimage/rpm/")
_LISTS = b"var/lib/dpkg/info/"
_OF_PYTHON = (b".dist-info", b".egg-info")
_NODE = PLACES[2]


def is_record(path: bytes) -> bool:
    """Tell whether `study.packages` may read the content of `path` (normal).

    That is what a layer's index has to have with it, to answer without the layer's files.
    """
    if path in _FILES or path.startswith(_FOLDERS):
        return True
    folder, _, name = path.rpartition(b"/")
    if path.startswith(_LISTS):
        return name.endswith(b".list")
    if name == b"package.json":
        above = folder.split(b"/")
        return above[-2:-1] == [_NODE] or (above[-3:-2] == [_NODE] and above[-2].startswith(b"@"))
    if name in (b"METADATA", b"RECORD", b"PKG-INFO"):
        return folder.endswith(_OF_PYTHON) and folder.split(b"/")[-2:-1] in (
            [PLACES[0]],
            [PLACES[1]],
        )
    return name.endswith(_OF_PYTHON[1]) and folder.rpartition(b"/")[2] in PLACES
