"""The tree under the root folder, drawn and made here alone.

ROOT/
  oci-layout  index.json  blobs/<algorithm>/<hex>   the store is an OCI image layout
  undo.log                          what names lost lately
  uploads/<key>                     blobs on their way in; resumable, locked while written
  leases/<id>  leases/{lock,names,all}               what is being worked on; flock files
  layers/sha256/<diff-id>           sealed layers
  layers/chain/<diff-id>/<chain-id> sealed layers whose index depends on the layers below
  layers/new/                       sealed layers on their way in, and their locks
  snapshots/unpacked/<hex>          layers as directories, where the driver needs them
  snapshots/active/<key>/{upper,work}                containers' writable layers
  snapshots/frozen/<id>/            states of such layers, and snapshots/names/<key>/<name>; made when needed
  snapshots/new/                    directories on their way in or out
  lists/<name>.json  lists/lock     manifest lists that are being put together; made when needed
  containers/<id>/  volumes/<name>/  networks/  events.log
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from lamina.errors import Invalid
from lamina.spec.wire import decode, encode
from lamina.stream.files import disk_errors, fresh_name, locked, remove_tree, replace
from lamina.values import dataclass

__all__ = [
    "OURS",
    "Disk",
    "RootInvalid",
    "fill_reserve",
    "make",
    "remove_tree",
    "replace",
    "scratch",
    "spend_reserve",
]

_LAYOUT = encode({"imageLayoutVersion": "1.0.0"})
_INDEX = encode(
    {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [],
    }
)
# 0711: a container in a user namespace of its own must pass through; 0700: a layer of an old
# image may hold a set-user-ID program with known holes, and its path can be guessed; a blob may be
# of an image that this machine's other users were not given.
_DIRECTORIES = (
    ("", 0o711),
    ("blobs", 0o700),
    ("blobs/sha256", 0o755),
    ("uploads", 0o700),
    ("leases", 0o700),
    ("layers", 0o700),
    ("layers/sha256", 0o755),
    ("layers/chain", 0o755),
    ("layers/new", 0o700),
    ("snapshots", 0o700),
    ("snapshots/unpacked", 0o755),
    ("snapshots/active", 0o755),
    ("snapshots/new", 0o700),
    ("containers", 0o711),
    ("volumes", 0o711),
    ("networks", 0o711),
)
OURS = frozenset(
    {name.partition("/")[0] for name, _ in _DIRECTORIES if name}
    | {
        "oci-layout",
        "index.json",
        "undo.log",
        "undo.log.new",
        "reserve",
        "events.log",
        "events.log.old",
    }
)
"""Everything that we make at the top of a root."""

_LOCKS = ("leases/lock", "leases/names", "leases/all")
_RESERVE = 256 * 1024
_BLOCK = 4096


class RootInvalid(Invalid):
    """The folder is not one of ours, or of a layout from the future."""


@dataclass(frozen=True, slots=True)
class Disk:
    """Where everything lies under `root`. Only paths: nothing is made or looked at."""

    root: str

    @property
    def layout(self) -> str:
        """`oci-layout`, which makes the folder an OCI image layout."""
        return f"{self.root}/oci-layout"

    @property
    def index(self) -> str:
        """`index.json`: the names and what they stand for."""
        return f"{self.root}/index.json"

    @property
    def undo(self) -> str:
        """The log of what names lost lately."""
        return f"{self.root}/undo.log"

    @property
    def reserve(self) -> str:
        """A file whose only content is its size."""
        return f"{self.root}/reserve"

    @property
    def blobs(self) -> str:
        """Blobs by algorithm and hex."""
        return f"{self.root}/blobs"

    @property
    def uploads(self) -> str:
        """Blobs on their way in."""
        return f"{self.root}/uploads"

    @property
    def leases(self) -> str:
        """Leases and the store's own locks."""
        return f"{self.root}/leases"

    @property
    def layers(self) -> str:
        """Sealed layers."""
        return f"{self.root}/layers"

    @property
    def snapshots(self) -> str:
        """Unpacked layers and containers' writable layers."""
        return f"{self.root}/snapshots"

    @property
    def containers(self) -> str:
        """One folder per container: its record, bundle, log."""
        return f"{self.root}/containers"

    @property
    def volumes(self) -> str:
        """One folder per named volume."""
        return f"{self.root}/volumes"

    @property
    def networks(self) -> str:
        """What is known of networks."""
        return f"{self.root}/networks"

    @property
    def events(self) -> str:
        """The log of what happened to containers and images."""
        return f"{self.root}/events.log"


def make(root: str) -> Disk:
    """Make what is missing of the tree under `root`; cheap when all is there.

    Raises: Denied (not ours to write), DiskFull, RootInvalid (another layout version).
    """
    root = os.path.abspath(root)
    disk = Disk(root)
    try:
        with open(disk.layout, "rb") as file:
            _check_layout(root, file.read(1024))
    except FileNotFoundError:
        with disk_errors(f"making {root}"):
            os.makedirs(os.path.dirname(root), exist_ok=True)
            _make_tree(root)
        with locked(f"{disk.leases}/names"):
            _fill_in(disk)
    return disk


def _fill_in(disk: Disk) -> None:
    """Write the files of a new root, unless another process has done so meanwhile."""
    fill_reserve(disk)
    for path, data in ((disk.index, _INDEX), (disk.layout, _LAYOUT)):
        if not os.path.exists(path):  # the layout last: its presence says the rest is there
            replace(path, data, beside=f"{disk.leases}/names.new")


def _check_layout(root: str, raw: bytes) -> None:
    version = decode(raw, what=f"{root}/oci-layout").get("imageLayoutVersion")
    if version != "1.0.0":
        raise RootInvalid(f"{root} is an image layout of version {version!r}, we know 1.0.0")
    if not os.path.isdir(f"{root}/networks"):  # somebody else's OCI layout: move in beside it
        _make_tree(root)


def _make_tree(root: str) -> None:
    for name, mode in _DIRECTORIES:
        path = f"{root}/{name}" if name else root
        try:
            os.mkdir(path, mode)
        except FileExistsError:
            continue
    for name in _LOCKS:  # now: on a full disk they could not be made
        os.close(os.open(f"{root}/{name}", os.O_WRONLY | os.O_CREAT, 0o644))


def fill_reserve(disk: Disk) -> None:
    """Take the reserve's room: more than a new `index.json` needs, on a full disk what there is.

    Cheap where it is taken already: a look at two files.
    """
    wanted = _RESERVE * (1 + (_size(disk.index) + _RESERVE // 4) // _RESERVE)
    if _size(disk.reserve) >= wanted:
        return
    fd = os.open(disk.reserve, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while wanted >= _BLOCK and not _takes(fd, wanted):
            wanted //= 2
    finally:
        os.close(fd)


def _takes(fd: int, size: int) -> bool:
    had = os.fstat(fd).st_size
    try:
        os.posix_fallocate(fd, 0, max(size, had))
    except OSError:
        os.ftruncate(fd, had)
        return False
    return True


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def spend_reserve(path: str) -> bool:
    """Give the reserve's room back to the file system; tell whether there was any."""
    try:
        if not os.stat(path).st_size:
            return False
        os.truncate(path, 0)
    except FileNotFoundError:
        return False
    return True


@contextmanager
def scratch(parent: str) -> Iterator[str]:
    """Give a new empty directory inside `parent`, removed with all its contents at the end."""
    path = f"{parent}/{fresh_name()}"
    with disk_errors(f"making {path}"):
        os.mkdir(path, 0o700)
    try:
        yield path
    finally:
        remove_tree(path)
