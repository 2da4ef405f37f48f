"""The images of the layer bench, made once by script and kept below .cache/bench, without lamina.

`deb`: Debian with python3, numpy and flask, and a patch: three layers. `many`: node_modules from npm
and site-packages from PyPI on busybox. `big`: shared objects out of PyPI's wheels. `million`: a million
entries, synthetic. `tiny`: busybox alone. Layers are gzip at level 6, as Go's tools make them.
"""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent.parent)]

from tests.images import make_debian, tiny, write_layout  # noqa: E402 - needs the path above

__all__ = ["IMAGES", "Image", "image"]

_CACHE = Path(__file__).resolve().parent.parent / ".cache" / "bench"
_RECIPE = "2"  # another number makes every image anew
_WHEN = "1700000000"
_DEBIAN = "python3 python3-numpy python3-flask python3-requests python3-yaml"
_NPM = (
    "@babel/preset-env@7", "@mui/material@6", "aws-sdk@2", "core-js@3", "date-fns@4", "eslint@9",
    "jest@29", "lodash-es@4", "lodash@4", "next@15", "rxjs@7", "typescript@5", "webpack@5",
)  # fmt: skip
_PYPI = (
    "ansible==12.3.0", "babel==2.18.0", "boto3==1.44.8", "django==5.2.19", "sqlalchemy==2.1.9",
    "sympy==1.14.0", "twisted==26.10.0",
)  # fmt: skip
_WHEELS = ("jaxlib==0.10.2", "llvmlite==0.50.0", "opencv-python-headless==5.0.0.93")


@dataclass(frozen=True, slots=True)
class Image:
    """One image as an OCI layout, and what it weighs: entries of its tars, bytes before and after gzip."""

    name: str
    layout: str
    layers: int
    entries: int
    size: int
    packed: int

    def __str__(self) -> str:
        return (
            f"`{self.name}`: {self.layers} layer{'s' * (self.layers > 1)}, {self.entries:,} entries, "
            f"{self.size / 1e6:.0f} MB, {self.packed / 1e6:.0f} MB gzip"
        )


def image(name: str) -> Image:
    """Give the image, made if it is not there; minutes the first time."""
    folder = _CACHE / "images" / f"{name}-{_RECIPE}"
    facts = folder / "facts.json"
    if not facts.exists():
        print(f"bench: making the image {name}, once", file=sys.stderr, flush=True)
        started = time.monotonic()
        work = folder.with_suffix(".making")
        shutil.rmtree(work, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
        (work / "tars").mkdir(parents=True)
        layers = IMAGES[name](work / "tars")
        write_layout(work / "layout", layers, tag="v1", level=6)
        made = _weigh(name, layers, work / "layout")
        shutil.rmtree(work / "tars")
        (work / "facts.json").write_text(json.dumps(asdict(made)))  # noqa: TID251 - not an OCI document
        work.rename(folder)
        print(f"bench: {made}, in {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    known = json.loads(facts.read_text())
    return Image(**{**known, "layout": str(folder / "layout")})


def _weigh(name: str, layers: Sequence[bytes | Path], layout: Path) -> Image:
    blobs = sorted((layout / "blobs/sha256").iterdir(), key=lambda blob: blob.stat().st_size)
    packed = sum(blob.stat().st_size for blob in blobs[-len(layers) :])
    size = sum(len(one) if isinstance(one, bytes) else one.stat().st_size for one in layers)
    return Image(name, "", len(layers), sum(map(_entries, layers)), size, packed)


def _entries(layer: bytes | Path) -> int:
    """Count as GNU tar does; bytes go in by a pipe."""
    given = layer if isinstance(layer, bytes) else None
    done = subprocess.run(
        ["tar", "-tf", "-" if given else str(layer)], input=given, capture_output=True, check=True
    )
    return done.stdout.count(b"\n")


def _make_deb(folder: Path) -> list[bytes | Path]:
    make_debian(folder / "deb", _DEBIAN)
    return [folder / "deb" / f"{name}.layer.tar" for name in ("base", "python", "patch")]


def _make_many(folder: Path) -> list[bytes | Path]:
    node, python = folder / "node", folder / "python"
    (node / "srv/app").mkdir(parents=True)
    subprocess.run(
        ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent", "--prefix",
         node / "srv/app", *_NPM],
        check=True,
    )  # fmt: skip
    _install(python / "usr/lib/python3/site-packages", _PYPI)
    return [tiny(), _packed(node), _packed(python)]


def _make_big(folder: Path) -> list[bytes | Path]:
    _install(folder / "big/usr/lib/python3/site-packages", _WHEELS)
    return [tiny(), _packed(folder / "big")]


def _install(target: Path, wheels: Sequence[str]) -> None:
    target.mkdir(parents=True)
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-compile",
         "--only-binary=:all:", "--python-version", "3.11", "--disable-pip-version-check",
         "--target", target, *wheels],
        check=True,
    )  # fmt: skip


def _packed(tree: Path) -> Path:
    """Tar the tree the same way each time, and remove it: the disk may be short."""
    target = tree.with_suffix(".tar")
    subprocess.run(
        ["tar", "-C", tree, "--sort=name", "--numeric-owner", "--owner=0", "--group=0",
         f"--mtime=@{_WHEN}", "--format=posix", "--pax-option=delete=atime,delete=ctime",
         "-cf", target, *sorted(os.listdir(tree))],
        check=True,
    )  # fmt: skip
    shutil.rmtree(tree)
    return target


def _make_million(folder: Path) -> list[bytes | Path]:
    """Write a thousand folders of 999 files, 16 bytes each."""
    target = folder / "million.tar"
    zeros = bytes(496)
    with target.open("wb", buffering=1 << 20) as sink:
        for outer in range(1000):
            sink.write(_header(f"data/{outer:03}/", tarfile.DIRTYPE))
            # All names of a folder are as long as each other: one header serves as the mould.
            mould = _header(f"data/{outer:03}/entry-000", tarfile.REGTYPE)
            base = int(mould[148:154], 8) - 3 * ord("0")
            for inner in range(999):
                digits = b"%03d" % inner
                checksum = b"%06o\0 " % (base + sum(digits))
                header = b"".join((mould[:15], digits, mould[18:148], checksum, mould[156:]))
                sink.write(header + b"entry %03d of %3d" % (inner, outer) + zeros)
        sink.write(bytes(1024))
    return [target]


def _header(name: str, kind: bytes) -> bytes:
    member = tarfile.TarInfo(name.rstrip("/"))
    member.type, member.mtime = kind, int(_WHEN)
    member.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    member.size = 0 if kind == tarfile.DIRTYPE else 16
    return member.tobuf(tarfile.USTAR_FORMAT)


def _make_tiny(_: Path) -> list[bytes | Path]:
    return [tiny()]


IMAGES: dict[str, Callable[[Path], list[bytes | Path]]] = {
    "tiny": _make_tiny,
    "deb": _make_deb,
    "many": _make_many,
    "big": _make_big,
    "million": _make_million,
}

if __name__ == "__main__":
    for wanted in sys.argv[1:] or IMAGES:
        print(image(wanted))
