"""A whole journey on real Debian as a plain user, with subordinate IDs and with one ID alone.

Pulled from our hub, looked at, run, changed in every way there is, committed and pushed. What came back is
judged by the standard library's reading of each layer: unchanged layers are the same bytes, and the new one
has the owners, modes, times and attributes that the container's tree had, whoever the user was.
"""

import io
import os
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import pytest
from tests.commands import Lamina
from tests.conftest import PLAIN, unmount_below
from tests.images import Piece, debian, debian_layout, tar
from tests.servers import HubServer
from tests.trees import Fact, Tree, differences, tree_of_tar, without

from lamina.settings import Settings
from lamina.spec.wire import decode

PASSWORD = "correct horse battery"
WAYS = ("one ID", "subordinate IDs") if PLAIN else ("root",)

# What the runtime puts into a container, and what dpkg notes about itself.
MOUNTED = ("dev", "proc", "sys", "etc/hosts", "etc/hostname", "etc/resolv.conf", ".dockerenv")
NOTED = ("var/lib/dpkg", "var/log", "var/cache", "run", "tmp")
AT = "2024-02-03 04:05:06.123456789 UTC"
SECOND = 10**9
AT_NS = 1_706_933_106_123_456_789
CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")

CHANGES = f"""
set -e
echo 'changed in the container' > /etc/issue.net
touch -d '{AT}' /etc/issue.net
cd /opt/patch
chmod 600 owned
chmod 711 capable
chmod 600 labelled
ln first fourth
rm link
rm -rf pipe && mkdir pipe && echo inner > pipe/inner
rm -rf /usr/share/lintian
mv sticky /opt/moved
rm setuid && ln -s owned setuid
printf mine > made && chmod 4750 made
truncate -s 1M hole && printf end >> hole
mkfifo -m 640 queue
printf x > "$(printf 'neu\\303\\251\\nline')"
mkdir -m 1777 shared && printf x > shared/leaf
ln made shared/made
python3 -c "import os; os.setxattr('made', 'user.note', b'of the container')"
touch -h -d '{AT}' fourth pipe/inner pipe made hole queue setuid shared/leaf shared neu*
mkdir -p /tmp/deb/DEBIAN /tmp/deb/usr/share/tiny-package
printf 'Package: tiny-package\\nVersion: 1\\nArchitecture: all\\nMaintainer: none\\nDescription: t\\n' > /tmp/deb/DEBIAN/control
echo payload > /tmp/deb/usr/share/tiny-package/payload
touch -d '{AT}' /tmp/deb/usr/share/tiny-package/payload
dpkg-deb --root-owner-group -b /tmp/deb /tmp/t.deb > /dev/null
dpkg -i /tmp/t.deb > /dev/null
rm -rf /tmp/deb /tmp/t.deb
"""


@dataclass
class Story:
    """One journey: what was said and made on its way."""

    way: str
    lamina: Lamina
    listed: list[str]
    before: Tree  # as mmdebstrap made it
    live: Tree
    layers: list[Path]
    manifests: list[list[str]]
    again: Tree
    out: Tree


@pytest.fixture(scope="module", params=WAYS)
def story(
    request: pytest.FixtureRequest, hub: HubServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("story")
    run_root = tmp_path_factory.mktemp("run")
    account = "with-" + request.param.lower().replace(" ", "-")
    name = f"{hub.address}/{account}/debian"
    hub.register(account, PASSWORD)
    _publish(account, f"{name}:v1")
    lamina = Lamina(Settings(str(folder / "root"), str(run_root), str(folder / "docker")))
    if request.param == "one ID":
        lamina.environ["PATH"] = _path_without(folder / "bin", "newuidmap", "newgidmap")
    try:
        yield _play(request.param, lamina, name, folder)
    finally:
        lamina.remove_containers()
        unmount_below(run_root)
        unmount_below(folder)


def _publish(account: str, name: str) -> None:
    _skopeo("copy", "--dest-tls-verify=false", f"--dest-creds={account}:{PASSWORD}",
            f"oci:{debian_layout()}:v1", f"docker://{name}")  # fmt: skip


def _path_without(folder: Path, *names: str) -> str:
    """Give a PATH on which everything is but these programs."""
    folder.mkdir()
    for place in os.environ["PATH"].split(":"):
        for program in os.listdir(place) if os.path.isdir(place) else ():
            if program not in names and not os.path.lexists(folder / program):
                os.symlink(f"{place}/{program}", folder / program)
    return str(folder)


def _skopeo(*words: str) -> None:
    done = subprocess.run(["skopeo", "--insecure-policy", *words], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def _told(lamina: Lamina, *words: str) -> Tree:
    """Read the tree of a tar that the command writes."""
    done = subprocess.run(lamina.argv(*words), env=lamina.environ, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return tree_of_tar(io.BytesIO(done.stdout))


def _play(way: str, lamina: Lamina, name: str, folder: Path) -> Story:
    lamina("pull", f"{name}:v1")
    lamina("run", "-d", "--name", "box", f"{name}:v1", "sleep", "10000")
    lamina("exec", "box", "bash", "-c", CHANGES)
    brought = tar([
        Piece("brought/", directory=True, uid=1234, gid=5, mtime=AT_NS // SECOND),
        Piece("brought/in", b"by tar", mode=0o4711, uid=77, gid=88, mtime=AT_NS // SECOND),
    ])  # fmt: skip
    lamina("cp", "-a", "-", "box:/opt", stdin=brought)
    listed = lamina("diff", "box").splitlines()
    live = _told(lamina, "export", "box")
    out = _told(lamina, "cp", "-a", "box:/opt", "-")
    lamina("commit", "box", f"{name}:v2")
    address, account, _ = name.split("/")
    lamina("login", "-u", account, "--password-stdin", address, stdin=PASSWORD)
    lamina("push", f"{name}:v2")
    manifests = []
    for tag in ("v1", "v2"):
        place = folder / tag
        _skopeo("copy", "--src-tls-verify=false", f"docker://{name}:{tag}", f"dir:{place}")
        document = decode((place / "manifest.json").read_bytes())
        manifests.append([layer["digest"].removeprefix("sha256:") for layer in document["layers"]])
    layers = [folder / "v2" / digest for digest in manifests[1]]
    lamina("rm", "-f", "box")
    lamina("rmi", f"{name}:v1", f"{name}:v2")
    lamina("pull", f"{name}:v2")
    lamina("create", "--name", "again", f"{name}:v2")
    return Story(
        way,
        lamina,
        listed,
        tree_of_tar(debian().trees[2]),
        live,
        layers,
        manifests,
        _told(lamina, "export", "again"),
        out,
    )


def _same(wanted: Tree, found: Tree, *ignored: str) -> None:
    wrong = differences(without(wanted, *MOUNTED, *ignored), without(found, *MOUNTED, *ignored))
    assert not wrong, "\n".join(wrong[:40])


def test_unchanged_layers_arrive_as_the_same_bytes(story: Story):
    assert story.manifests[1][:3] == story.manifests[0]
    assert len(story.manifests[1]) == 4


def test_what_comes_back_is_the_tree_that_was_committed(story: Story):
    _same(story.live, story.again)


def _file(body: bytes, **more: object) -> Fact:
    fact = Fact("file", 0o644, 0, 0, AT_NS, content=sha256(body).hexdigest())
    return replace(fact, **more)  # type: ignore[arg-type]


def _expected(story: Story) -> Tree:
    """Give the tree that the changes make of the image's; times of folders are not judged here."""
    tree = without(story.before, "opt/patch/link", "usr/share/lintian", "opt/patch/pipe")
    patch = b"opt/patch/"
    first = replace(
        tree[patch + b"first"], mtime_ns=AT_NS, same=(patch + b"first", patch + b"fourth")
    )
    rest = (patch + b"second", patch + b"third")
    made = (patch + b"made", patch + b"shared/made")
    body = _file(b"mine", mode=0o4750, same=made, xattrs=(("user.note", b"of the container"),))
    tree[b"opt/moved"] = tree.pop(patch + b"sticky")
    tree |= {
        b"etc/issue.net": _file(b"changed in the container\n"),
        patch + b"owned": replace(tree[patch + b"owned"], mode=0o600),
        patch + b"capable": replace(tree[patch + b"capable"], mode=0o711),
        patch + b"labelled": replace(tree[patch + b"labelled"], mode=0o600),
        patch + b"setuid": Fact("link", 0o777, 0, 0, AT_NS, link=b"owned"),
        patch + b"pipe": Fact("directory", 0o755, 0, 0, AT_NS),
        patch + b"pipe/inner": _file(b"inner\n"),
        patch + b"hole": _file(bytes(1 << 20) + b"end"),
        patch + b"queue": Fact("fifo", 0o640, 0, 0, AT_NS),
        patch + "neu\u00e9\nline".encode(): _file(b"x"),
        patch + b"shared": Fact("directory", 0o1777, 0, 0, AT_NS),
        patch + b"shared/leaf": _file(b"x"),
        b"usr/share/tiny-package": Fact("directory", 0o755, 0, 0, AT_NS),
        b"usr/share/tiny-package/payload": _file(b"payload\n", mtime_ns=AT_NS // SECOND * SECOND),
        b"opt/brought": Fact("directory", 0o755, 1234, 5, AT_NS // SECOND * SECOND),
        b"opt/brought/in": _file(b"by tar", mode=0o4711, uid=77, gid=88, mtime_ns=AT_NS // SECOND * SECOND),
        **dict.fromkeys(made, body),
        **dict.fromkeys(first.same, first),
        **{path: replace(tree[path], same=rest) for path in rest},
    }  # fmt: skip
    return tree


def _timeless(tree: Tree) -> Tree:
    return {
        path: replace(fact, mtime_ns=0) if fact.kind == "directory" else fact
        for path, fact in tree.items()
    }


def test_every_change_is_in_the_tree_and_nothing_else(story: Story):
    _same(_timeless(_expected(story)), _timeless(story.live), *NOTED)


def test_the_new_layer_holds_what_changed_and_no_more(story: Story):
    with tarfile.open(story.layers[3]) as layer:  # noqa: TID251 - a judge not ours
        members = {os.fsencode(member.name.rstrip("/")): member for member in layer}
    assert not _unexpected(story, members)
    assert members[b"opt/patch/fourth"].islnk() or members[b"opt/patch/first"].islnk()
    owned = members[b"opt/patch/owned"]
    assert (owned.uid, owned.gid, owned.mode) == (1234, 5678, 0o600)
    assert b"opt/patch/.wh.link" in members
    assert b"usr/share/.wh.lintian" in members


def _unexpected(story: Story, members: dict[bytes, tarfile.TarInfo]) -> list[bytes]:
    wanted = _expected(story)
    changed = {path for path, fact in wanted.items() if story.before.get(path) != fact}
    folders = {path[:at] for path in members for at, byte in enumerate(path) if byte == 0x2F}
    known = tuple(name.encode() for name in (*NOTED, *MOUNTED))
    return [
        path
        for path in members
        if path and path not in changed | folders | {b"."}
        and not path.startswith(known) and b"/.wh." not in path
    ]  # fmt: skip


def test_what_is_copied_out_is_the_tree_too(story: Story):
    wanted = {path: fact for path, fact in story.live.items() if path[:4] in (b"opt", b"opt/")}
    assert not differences(wanted, story.out)


def test_diff_lists_the_changes_as_docker_does(story: Story):
    known = tuple(f"/{name}" for name in (*NOTED, *MOUNTED, "var"))
    listed = [line for line in story.listed if not line[2:].startswith(known)]
    top = "/opt/patch"
    assert listed == [
        "C /etc", "C /etc/issue.net", "C /opt", "A /opt/brought", "A /opt/brought/in", "A /opt/moved",
        f"C {top}", f"C {top}/capable", f"C {top}/first", f"A {top}/fourth", f"A {top}/hole",
        f"C {top}/labelled", f"D {top}/link", f"A {top}/made", f"A {top}/neu\u00e9", "line",
        f"C {top}/owned", f"C {top}/pipe", f"A {top}/pipe/inner", f"A {top}/queue", f"C {top}/setuid",
        f"A {top}/shared", f"A {top}/shared/leaf", f"A {top}/shared/made", f"D {top}/sticky", "C /usr",
        "C /usr/share", "D /usr/share/lintian", "A /usr/share/tiny-package",
        "A /usr/share/tiny-package/payload",
    ]  # fmt: skip
