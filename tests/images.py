"""Real images for tests, made without lamina so that they can judge it.

`debian()` gives three layers made by mmdebstrap from Debian's packages: a base, python3 on it, and a
patch (a package more, files changed, removed, replaced by other kinds, links, odd names, extended
attributes, a capability). It takes a minute once; the tars are kept below `.cache/images`, named by the
recipe. Packages come from whatever mirror this machine's own apt uses. `tiny()` is busybox, in memory,
for tests that need speed. `write_layout` writes an OCI image layout with the standard library alone.
"""

import fcntl
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = [
    "CACHE",
    "Debian",
    "Piece",
    "debian",
    "debian_layout",
    "make_debian",
    "tar",
    "tiny",
    "write_index",
    "write_layout",
]

CACHE = Path(__file__).resolve().parent.parent / ".cache" / "images"

_NAMES = ("base", "python", "patch")
_LEFT_OUT = ("doc", "info", "locale", "man", "i18n", "zoneinfo", "bash-completion")
_SNAPSHOT = r"""
tar -C "$1" --xattrs --xattrs-include='user.*' --xattrs-include='security.capability' \
  --numeric-owner --one-file-system --sort=name --format=posix \
  --pax-option=delete=atime,delete=ctime --warning=no-file-changed --anchored \
  --exclude='./proc/*' --exclude='./sys/*' --exclude='./dev/*' --exclude='./run/*' \
  --exclude='./tmp/*' --exclude='./var/lib/apt/lists/*' --exclude='./var/cache/apt/*' \
  --exclude='./var/cache/debconf/*' --exclude='./var/log/*' \
  --exclude='./etc/resolv.conf' --exclude='./etc/hostname' -cf "$2" . || [ $? = 1 ]
"""
_PATCH = r"""
set -e
chroot "$1" apt-get install -y -qq --no-install-recommends openssl
cd "$1"
echo 'Debian GNU/Linux 12, patched' > etc/issue.net          # changed content, changed length
sed -i s/debian/DEBIAN/ etc/issue                            # changed content, same length
rm -rf usr/share/common-licenses                             # a whole directory goes
rm -f usr/bin/perldoc usr/bin/yes                            # files go
rm -rf usr/share/lintian && mkdir usr/share/lintian          # a directory goes and comes back empty
echo again > usr/share/lintian/again
rm -rf usr/share/base-files && echo file > usr/share/base-files        # a directory becomes a file
rm -f etc/debian_version && mkdir etc/debian_version         # a file becomes a directory
mkdir -p opt/patch && cd opt/patch
echo one > first && ln first second && ln first third        # hard links
ln -s ../../etc/issue.net link && ln -s /nowhere dangling    # symbolic links
mkfifo pipe
printf x > "$(printf 'latin\351')"                           # a name that is not UTF-8
printf x > "$(printf '%0200d' 0)"                            # a name longer than a tar header's field
mkdir sticky && chmod 1777 sticky
printf x > setuid && chmod 4755 setuid
printf x > owned && chown 1234:5678 owned
truncate -s 1M sparse && printf end >> sparse                # mostly a hole
touch -d '1969-12-31 23:59:58.25 UTC' before-1970
touch -d '2038-01-20 00:00:00.123456789 UTC' after-2038
printf x > labelled && setfattr -n user.origin -v 'a value' labelled
printf x > capable && setfattr -n security.capability \
  -v 0x0100000200200000000000000000000000000000 capable || true
"""


@dataclass(frozen=True, slots=True)
class Debian:
    """Three layers, lowest first, and the whole tree after each, all as plain tars."""

    layers: tuple[Path, Path, Path]
    trees: tuple[Path, Path, Path]


@dataclass(frozen=True, slots=True)
class Piece:
    """One entry of a tar made in memory. `link` makes it a symbolic link, `hard` a hard link."""

    path: str
    body: bytes = b""
    mode: int = 0o644
    link: str = ""
    hard: str = ""
    directory: bool = False
    uid: int = 0
    gid: int = 0
    mtime: float = 1_700_000_000
    xattrs: tuple[tuple[str, str], ...] = ()


@cache
def debian() -> Debian:
    """Give the three-layer image, made once per machine and recipe."""
    recipe = hashlib.sha256("".join((*_LEFT_OUT, _SNAPSHOT, _PATCH, "1")).encode()).hexdigest()[:16]
    folder = CACHE / f"debian-{recipe}"
    with _alone(CACHE / "debian.lock"):
        if not folder.is_dir():
            for old in CACHE.glob("debian-*"):
                shutil.rmtree(old)
            make_debian(folder)
    low, middle, high = (folder / f"{name}.layer.tar" for name in _NAMES)
    one, two, three = (folder / f"{name}.tree.tar" for name in _NAMES)
    return Debian((low, middle, high), (one, two, three))


@cache
def debian_layout() -> Path:
    """Give an OCI image layout of the three layers, tagged v1, packed once per machine and recipe."""
    layers = debian().layers
    config: dict[str, object] = {
        "Cmd": ["bash"],
        "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        "Labels": {"made.by": "mmdebstrap"},
    }
    # Layers made anew, or lent by another user, do not go with the layout of the old ones.
    made = [(path.stat().st_size, path.stat().st_mtime_ns) for path in layers]
    written = hashlib.sha256(_json([config, made])).hexdigest()[:16]
    folder = layers[0].parent / f"layout-{written}"
    with _alone(CACHE / "debian.lock"):
        if not folder.is_dir():
            work = folder.with_suffix(".making")
            shutil.rmtree(work, ignore_errors=True)
            write_layout(work, layers, tag="v1", config=config)
            work.rename(folder)
    return folder


def make_debian(folder: Path, packages: str = "python3-minimal") -> None:
    """Make the three layers anew in `folder`, with `packages` in the second one."""
    work = folder.with_suffix(".making")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    work.chmod(0o777)  # in a user namespace mmdebstrap is somebody else
    trees = [work / f"{name}.tree.tar" for name in _NAMES]
    for number, text in enumerate((_SNAPSHOT, _PATCH)):
        script = work / f"hook{number}.sh"
        script.write_text("#!/bin/sh\n" + text)
        script.chmod(0o755)
    snapshot, patch = (work / f"hook{number}.sh" for number in (0, 1))
    install = f'chroot "$1" apt-get install -y -qq --no-install-recommends {packages}'
    hooks = [
        f'{snapshot} "$1" {trees[0]}',
        install,
        f'{snapshot} "$1" {trees[1]}',
        f'{patch} "$1"',
        f'{snapshot} "$1" {trees[2]}',
    ]
    sources = _debian_sources(work)
    words = [
        "mmdebstrap", "--quiet", "--variant=apt", "--format=null",
        *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _LEFT_OUT),
        "--dpkgopt=path-exclude=/usr/lib/*/perl/*/CORE/*",
        *(f"--customize-hook={hook}" for hook in hooks),
        _codename(), "-", str(sources),
    ]  # fmt: skip
    # Mirrors hang up at times.
    said = _failure_of(words) and _failure_of(words) and _failure_of(words)
    assert not said, said
    previous: Path | None = None
    for name, tree in zip(_NAMES, trees, strict=True):
        _write_difference(previous, tree, work / f"{name}.layer.tar")
        previous = tree
    work.chmod(0o755)
    work.rename(folder)


def _failure_of(words: list[str]) -> str:
    """Run a program; give what it said when it failed, nothing when it did not."""
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    done = subprocess.run(
        words,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        env={**os.environ, "PATH": path},
    )
    return done.stderr.decode(errors="replace")[-4000:] or "failed" if done.returncode else ""


def _codename() -> str:
    text = Path("/etc/os-release").read_text(encoding="utf-8")
    found = re.search(r"^VERSION_CODENAME=(\w+)", text, re.MULTILINE)
    assert found, "this machine does not say which Debian it is"
    return found[1]


def _debian_sources(work: Path) -> Path:
    """Write what this machine's apt reads for its own release, so that the same mirror serves."""
    word = re.compile(rf"(?<![-\w]){_codename()}(?![\w])")
    stanzas = []
    for path in sorted(Path("/etc/apt/sources.list.d").glob("*.sources")):
        stanzas += [part for part in path.read_text().split("\n\n") if word.search(part)]
    if stanzas:
        target = work / "debian.sources"
        target.write_text("\n\n".join(stanzas) + "\n")
        return target
    lines = []
    for path in [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*.list")]:
        if path.exists():
            lines += [line for line in path.read_text().splitlines() if word.search(line)]
    target = work / "debian.list"
    target.write_text("\n".join(line for line in lines if line.startswith("deb ")) + "\n")
    return target


def _write_difference(low: Path | None, high: Path, target: Path) -> None:
    """Write the layer that turns tree `low` into tree `high`, as the image-spec wants it."""
    before = _facts(low) if low else {}
    after = _facts(high)
    changed = {path for path, fact in after.items() if before.get(path) != fact}
    gone = {path for path in before if path not in after}
    with (
        tarfile.open(high) as source,  # noqa: TID251 - the oracle is not ours on purpose
        tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as sink,  # noqa: TID251
    ):
        for member in source:
            if member.islnk() and member.name in changed:
                changed.add(member.linkname)
        for path in sorted(gone):
            folder, _, name = path.rpartition("/")
            if folder not in gone and (folder not in after or after[folder][0] == tarfile.DIRTYPE):
                sink.addfile(tarfile.TarInfo(f"{folder}/.wh.{name}"))
        for member in source:
            if member.name in changed:
                renamed = ("path", "linkpath")
                kept = {k: v for k, v in member.pax_headers.items() if k not in renamed}
                member.pax_headers = kept
                member.name = member.name.removeprefix("./") or "."
                member.linkname = (
                    member.linkname.removeprefix("./") if member.islnk() else member.linkname
                )
                sink.addfile(member, source.extractfile(member) if member.isreg() else None)


def _facts(path: Path) -> dict[str, tuple[object, ...]]:
    facts: dict[str, tuple[object, ...]] = {}
    with tarfile.open(path) as source:  # noqa: TID251
        for member in source:
            body = b""
            if member.isreg():
                stream = source.extractfile(member)
                assert stream is not None
                body = hashlib.file_digest(stream, "sha256").digest()  # type: ignore[arg-type]
            facts[member.name] = (
                member.type, member.mode, member.uid, member.gid, member.mtime, member.linkname,
                member.devmajor, member.devminor, body,
                tuple(sorted((k, v) for k, v in member.pax_headers.items() if "xattr" in k)),
            )  # fmt: skip
    return facts


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Let one test process at a time do this: workers of pytest-xdist meet here."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def tar(pieces: Sequence[Piece]) -> bytes:
    """Write a plain tar of `pieces` in the order given."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as sink:  # noqa: TID251
        for piece in pieces:
            member = tarfile.TarInfo(piece.path)
            member.mode, member.mtime = piece.mode, piece.mtime
            member.uid, member.gid = piece.uid, piece.gid
            member.pax_headers = {f"SCHILY.xattr.{name}": value for name, value in piece.xattrs}
            if piece.directory:
                member.type, member.mode = tarfile.DIRTYPE, piece.mode | 0o111
            elif piece.link:
                member.type, member.linkname, member.mode = tarfile.SYMTYPE, piece.link, 0o777
            elif piece.hard:
                member.type, member.linkname = tarfile.LNKTYPE, piece.hard
            else:
                member.size = len(piece.body)
            sink.addfile(member, io.BytesIO(piece.body) if member.isreg() else None)
    return buffer.getvalue()


@cache
def tiny() -> bytes:
    """Give one small layer that runs: busybox, static, with its applets as links."""
    busybox = shutil.which("busybox")
    assert busybox, "busybox-static is not installed"
    applets = subprocess.run(
        [busybox, "--list"], capture_output=True, check=True, text=True
    ).stdout.split()
    folders = ("bin", "dev", "etc", "home", "proc", "root", "sys", "tmp", "usr", "usr/bin", "var")
    return tar(
        [
            *(Piece(name + "/", directory=True, mode=0o755) for name in folders),
            Piece("bin/busybox", Path(busybox).read_bytes(), 0o755),
            *(Piece(f"bin/{name}", link="busybox") for name in applets if name != "busybox"),
            Piece(
                "etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n"
            ),
            Piece("etc/group", b"root:x:0:\nnogroup:x:65534:\n"),
            Piece("etc/os-release", b'ID=tiny\nPRETTY_NAME="Tiny"\n'),
        ]
    )


def write_layout(
    folder: Path,
    layers: Sequence[bytes | Path],
    *,
    tag: str = "latest",
    config: dict[str, object] | None = None,
    created: str = "2024-01-02T03:04:05Z",
    level: int = 1,
) -> str:
    """Write an OCI image layout holding one image; give the digest of its manifest.

    Layers are plain tars, lowest first, and are gzipped. The history has one row for each.
    """
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)

    def put(data: bytes, media_type: str) -> dict[str, object]:
        name = hashlib.sha256(data).hexdigest()
        (blobs / name).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{name}", "size": len(data)}

    diff_ids, descriptors = [], []
    for layer in layers:
        plain = layer if isinstance(layer, bytes) else layer.read_bytes()
        diff_ids.append("sha256:" + hashlib.sha256(plain).hexdigest())
        packed = gzip.compress(plain, level, mtime=0)
        descriptors.append(put(packed, "application/vnd.oci.image.layer.v1.tar+gzip"))
    machine = os.uname().machine
    document = {
        "created": created,
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine),
        "os": "linux",
        "config": config or {"Cmd": ["sh"], "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": [
            {"created": created, "created_by": f"ADD layer {number}"}
            for number in range(1, len(layers) + 1)
        ],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": put(_json(document), "application/vnd.oci.image.config.v1+json"),
        "layers": descriptors,
    }
    target = put(_json(manifest), "application/vnd.oci.image.manifest.v1+json")
    target["annotations"] = {"org.opencontainers.image.ref.name": tag}
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (folder / "index.json").write_bytes(_json({"schemaVersion": 2, "manifests": [target]}))
    return str(target["digest"])


def write_index(folder: Path, platforms: Sequence[str]) -> None:
    """Write an OCI image layout of one index: for each platform an image with a file of its name."""

    def put(document: dict[str, object], kind: str) -> dict[str, object]:
        raw = _json(document)
        name = hashlib.sha256(raw).hexdigest()
        (folder / "blobs" / "sha256" / name).write_bytes(raw)
        media_type = f"application/vnd.oci.image.{kind}.v1+json"
        return {"mediaType": media_type, "digest": f"sha256:{name}", "size": len(raw)}

    def blob(digest: str) -> dict[str, object]:
        raw = (folder / "blobs" / digest.replace(":", "/")).read_bytes()
        document: dict[str, object] = json.loads(raw)
        return document

    rows = []
    for platform in platforms:
        manifest = blob(write_layout(folder, [tar([Piece("name", platform.encode())])]))
        system, architecture = platform.split("/")
        made_for = {"os": system, "architecture": architecture}
        config = put({**blob(manifest["config"]["digest"]), **made_for}, "config")  # type: ignore[index]
        rows.append({**put({**manifest, "config": config}, "manifest"), "platform": made_for})
    media_type = "application/vnd.oci.image.index.v1+json"
    top = put({"schemaVersion": 2, "mediaType": media_type, "manifests": rows}, "index")
    (folder / "index.json").write_bytes(_json({"schemaVersion": 2, "manifests": [top]}))


def _json(value: object) -> bytes:
    return json.dumps(value).encode()  # noqa: TID251 - written by someone else's rules on purpose
