"""The whole story on real images, judged by skopeo, umoci and the trees that mmdebstrap made.

Three layers come from Debian's packages: a base, python3 on it, and a patch full of awkward things.
They travel both ways: made elsewhere and read by us, made by us and read elsewhere.
"""

import io
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest
from tests.commands import Lamina
from tests.conftest import unmount_below
from tests.images import debian, debian_layout
from tests.servers import HubServer
from tests.trees import Tree, differences, tree_of_folder, tree_of_tar, without

from lamina.settings import Settings
from lamina.spec.wire import Document, decode

PASSWORD = "correct horse battery"

# What the runtime puts into a container, and what a container of Debian's lacks until it has run.
MOUNTED = ("dev", "proc", "sys", "etc/hosts", "etc/hostname", "etc/resolv.conf", ".dockerenv")


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lamina]:
    """One root for the whole story, as one person would have."""
    folder = tmp_path_factory.mktemp("story")
    run_root = tmp_path_factory.mktemp("run")
    settings = Settings(str(folder / "root"), str(run_root), str(folder / "docker"))
    lamina = Lamina(settings)
    yield lamina
    lamina.remove_containers()
    unmount_below(run_root)
    unmount_below(folder)


@pytest.fixture(scope="module")
def published(hub: HubServer) -> str:
    """The three layers, written by the standard library and pushed by skopeo."""
    hub.register("alice", PASSWORD)
    name = f"{hub.address}/alice/debian:v1"
    skopeo("copy", "--dest-tls-verify=false", f"--dest-creds=alice:{PASSWORD}",
           f"oci:{debian_layout()}:v1", f"docker://{name}")  # fmt: skip
    return name


def skopeo(*words: str) -> str:
    done = subprocess.run(
        ["skopeo", "--insecure-policy", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def umoci_tree(layout: Path, tag: str, target: Path) -> Tree:
    """Let umoci unpack an image and read what it made; as a plain user it keeps no owners."""
    rootless = ["--rootless"] if os.geteuid() else []
    done = subprocess.run(
        ["umoci", "unpack", *rootless, "--image", f"{layout}:{tag}", target],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return tree_of_folder(target / "rootfs")


def exported(lamina: Lamina, container: str) -> Tree:
    """Read a container's tree from its export."""
    done = subprocess.run(
        lamina.argv("export", container), env=lamina.environ, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return tree_of_tar(io.BytesIO(done.stdout))


def tree(number: int) -> Tree:
    return tree_of_tar(debian().trees[number])


def assert_same(wanted: Tree, found: Tree, *, ignore: tuple[str, ...] = ()) -> None:
    wrong = differences(without(wanted, *MOUNTED), without(found, *MOUNTED), ignore=ignore)
    assert not wrong, "\n".join(wrong[:40])


# Made elsewhere, read by us


def test_an_image_made_elsewhere_is_pulled_and_described(command: Lamina, published: str):
    said = command("pull", published)
    assert f"Status: Downloaded newer image for {published}" in said
    assert said.count("Pull complete") == 3
    document = inspected(command, published)
    assert document["Config"]["Labels"] == {"made.by": "mmdebstrap"}
    assert len(document["RootFS"]["Layers"]) == 3
    assert document["RepoTags"] == [published]
    assert published.rpartition(":")[0] in command("images")
    history = command("history", "--no-trunc", published)
    assert [f"ADD layer {number}" in history for number in (1, 2, 3)] == [True] * 3


def test_pulling_again_finds_it_up_to_date(command: Lamina, published: str):
    assert f"Status: Image is up to date for {published}" in command("pull", published)


def test_a_containers_export_is_the_tree_that_mmdebstrap_made(command: Lamina, published: str):
    command("create", "--name", "whole", published)
    assert_same(tree(2), exported(command, "whole"))
    command("rm", "whole")


@pytest.mark.root
def test_a_running_containers_root_is_the_tree_that_mmdebstrap_made(
    command: Lamina, published: str
):
    command("run", "-d", "--name", "live", published, "sleep", "1000")
    pid = command("inspect", "--format", "{{.State.Pid}}", "live").strip()
    found = tree_of_folder(Path("/proc", pid, "root"))
    assert_same(tree(2), found)
    command("rm", "-f", "live")


def test_programs_of_the_image_run_in_a_container(command: Lamina, published: str):
    said = command("run", "--rm", published, "python3", "-c", "import sys; print(sys.version)")
    assert said.startswith("3.")
    assert command("run", "--rm", published, "cat", "/etc/issue.net") == (
        "Debian GNU/Linux 12, patched\n"
    )
    gone = command.attempt("run", "--rm", published, "test", "-e", "/usr/bin/yes")
    assert gone.code == 1


def test_skopeo_and_umoci_read_our_store_as_it_is(command: Lamina, published: str, tmp_path: Path):
    digest = published_digest(command, published)
    copied = tmp_path / "copied"
    skopeo("copy", f"oci:{command.settings.root}:{published}", f"oci:{copied}:v1")
    index = decode((copied / "index.json").read_bytes())
    assert index["manifests"][0]["digest"] == digest
    ignore = ("uid", "gid", "xattrs") if os.geteuid() else ()
    assert_same(tree(2), umoci_tree(copied, "v1", tmp_path / "bundle"), ignore=ignore)


# Made by us, read elsewhere


def apply_by_hand(lamina: Lamina, container: str, number: int) -> None:
    """Bring a layer's changes into a running container with `exec` and `cp`, as a person would.

    What the layer hides, and what it puts in place of another kind of thing, is removed first. The
    folders around each change come along, because changing what is in them changes their times.
    """
    kept = io.BytesIO()
    gone = []
    with (
        tarfile.open(debian().layers[number]) as source,  # noqa: TID251 - a judge not ours
        tarfile.open(debian().trees[number]) as whole,  # noqa: TID251
        tarfile.open(fileobj=kept, mode="w", format=tarfile.PAX_FORMAT) as sink,  # noqa: TID251
    ):
        folders = {member.name: member for member in whole if member.isdir()}
        around = {str(folder) for member in source for folder in PurePosixPath(member.name).parents}
        for folder in sorted(around):
            sink.addfile(folders[f"./{folder}" if folder != "." else "."])
        for member in source:
            folder, _, name = member.name.rpartition("/")
            if name.startswith(".wh."):
                gone.append(f"/{folder}/{name.removeprefix('.wh.')}")
                continue
            if member.name in ("etc/debian_version", "usr/share/base-files"):
                gone.append(f"/{member.name}")
            sink.addfile(member, source.extractfile(member) if member.isreg() else None)
    if gone:
        lamina("exec", container, "rm", "-rf", *gone)
    lamina("cp", "-", f"{container}:/", stdin=kept.getvalue())


def test_three_layers_are_made_by_hand_and_each_gives_its_tree(command: Lamina):
    command("import", "-c", 'CMD ["bash"]', str(debian().trees[0]), "base:1")
    below = "base:1"
    for number, name in ((1, "python"), (2, "patch")):
        command("run", "-d", "--name", f"make-{name}", below, "sleep", "1000")
        apply_by_hand(command, f"make-{name}", number)
        image = command(
            "commit", "-m", f"added {name}", "-a", "alice", f"make-{name}", f"made:{name}"
        ).strip()
        assert image.startswith("sha256:")
        command("rm", "-f", f"make-{name}")
        command("create", "--name", f"look-{name}", f"made:{name}")
        assert_same(tree(number), exported(command, f"look-{name}"))
        command("rm", f"look-{name}")
        below = f"made:{name}"
    document = inspected(command, "made:patch")
    assert (document["Author"], document["Comment"]) == ("alice", "added patch")
    assert document["Parent"] == inspected(command, "made:python")["Id"]
    assert len(document["RootFS"]["Layers"]) == 3
    history = command("history", "made:patch")
    assert "added patch" in history
    assert "added python" in history


def test_what_we_made_is_pushed_and_umoci_unpacks_it_file_by_file(
    command: Lamina, hub: HubServer, published: str, tmp_path: Path
):
    name = f"{hub.address}/alice/made:v1"
    command("tag", "made:patch", name)
    command("login", "-u", "alice", "--password-stdin", hub.address, stdin=PASSWORD)
    said = command("push", name)
    assert f"The push refers to repository [{hub.address}/alice/made]" in said
    assert "v1: digest: sha256:" in said
    again = command("push", name)
    assert again.count("Layer already exists") == 3
    layout = tmp_path / "layout"
    skopeo("copy", "--src-tls-verify=false", f"docker://{name}", f"oci:{layout}:v1")
    ignore = ("uid", "gid", "xattrs") if os.geteuid() else ()
    assert_same(tree(2), umoci_tree(layout, "v1", tmp_path / "bundle"), ignore=ignore)


def test_the_page_shows_the_tag_its_layers_and_how_to_pull_it(command: Lamina, hub: HubServer):
    status, _, body = hub.request("GET", "/alice/made")
    text = body.decode()
    assert status == 200
    digest = published_digest(command, f"{hub.address}/alice/made:v1")
    for word in ("v1", digest[7:19], f"{hub.address}/alice/made:v1"):
        assert word in text
    status, _, front = hub.request("GET", "/")
    assert status == 200
    assert "alice/made" in front.decode()


def test_it_is_removed_pulled_back_and_runs_with_the_same_id(command: Lamina, hub: HubServer):
    name = f"{hub.address}/alice/made:v1"
    before = inspected(command, name)["Id"]
    command("rmi", name, "made:patch", "made:python", "base:1")
    assert "made" not in command("images", "--format", "{{.Repository}}")
    command("pull", name)
    assert inspected(command, name)["Id"] == before
    assert command("run", "--rm", name, "python3", "-c", "print(6 * 7)") == "42\n"


def test_a_saved_image_loads_elsewhere_with_the_same_id(
    command: Lamina, published: str, tmp_path: Path
):
    archive = tmp_path / "image.tar"
    command("save", "-o", str(archive), published)
    listed = skopeo("inspect", "--config", f"docker-archive:{archive}")
    assert "mmdebstrap" in listed
    other = Lamina(Settings(str(tmp_path / "root"), str(tmp_path / "run"), str(tmp_path / "d")))
    assert f"Loaded image: {published}" in other("load", "-i", str(archive))
    assert inspected(other, published)["Id"] == inspected(command, published)["Id"]


def test_disk_use_is_told(command: Lamina):
    said = command("system", "df")
    assert said.splitlines()[0].split() == ["TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE"]


def inspected(lamina: Lamina, name: str) -> Document:
    """Give the one document that `image inspect` prints for `name`."""
    return decode(lamina("image", "inspect", "--format", "{{json .}}", name))


def published_digest(lamina: Lamina, name: str) -> str:
    digests: list[str] = inspected(lamina, name)["RepoDigests"]
    repository = name.rpartition(":")[0]
    return next(one for one in digests if one.startswith(repository)).partition("@")[2]
