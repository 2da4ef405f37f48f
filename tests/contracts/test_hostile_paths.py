"""Images and processes that lay symlinks for whoever copies or mounts: nothing of this machine moves."""

import io
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.commands import Lamina
from tests.containers import RUNTIMES, world
from tests.contracts.conftest import OUTSIDE
from tests.images import tiny


@pytest.fixture(scope="module")
def lamina(tmp_path_factory):
    """The runtime that is chosen by itself: copying is the shim's, whatever runs beside it."""
    with world(tmp_path_factory.mktemp("world")) as lamina:
        yield lamina


@pytest.fixture(scope="module", params=RUNTIMES)
def each(request, tmp_path_factory):
    """Each runtime: mounting is theirs."""
    with world(tmp_path_factory.mktemp("each"), runtime=request.param) as lamina:
        yield lamina


def untouched(victim: Path) -> bool:
    return os.listdir(victim) == ["secret"] and (victim / "secret").read_text() == OUTSIDE


def image(lamina: Lamina, name: str, *changes: str, **links: str) -> str:
    """Import `tiny` with symlinks (`etc__hosts="/there"`) in place of what it has there."""
    places = {path.replace("__", "/").replace("_dot_", "."): to for path, to in links.items()}
    made = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(tiny())) as old,  # noqa: TID251 - an attacker's tool
        tarfile.open(fileobj=made, mode="w") as new,  # noqa: TID251
    ):
        for entry in old.getmembers():
            if entry.name not in places:
                new.addfile(entry, old.extractfile(entry) if entry.isreg() else None)
        for path, to in places.items():
            entry = tarfile.TarInfo(path)
            entry.type, entry.linkname = tarfile.SYMTYPE, to
            new.addfile(entry)
    flags = [word for change in changes for word in ("-c", change)]
    lamina("import", *flags, "-", name, stdin=made.getvalue())
    return name


@pytest.fixture
def box(lamina: Lamina) -> Iterator[str]:
    """A container that runs on."""
    name = lamina("run", "-d", "tiny", "sleep", "10000").strip()
    yield name
    lamina("rm", "-f", name)


def ways_to(victim: Path) -> list[str]:
    return [
        str(victim),
        f"../../../../../../../..{victim}",
        f"/proc/self/root{victim}",
        f"/proc/1/root{victim}",
    ]


@pytest.mark.parametrize("stopped", [False, True], ids=["running", "stopped"])
def test_copying_out_follows_links_inside_the_container_alone(
    lamina, box, victim, tmp_path, stopped
):
    lines = [f"ln -s {way} /way{number}" for number, way in enumerate(ways_to(victim))]
    lamina("exec", box, "sh", "-c", "; ".join(lines))
    if stopped:
        lamina("kill", box)
    for number in range(len(lines)):
        done = lamina.attempt("cp", f"{box}:/way{number}/secret", "-")
        assert (done.code, OUTSIDE in done.out) == (1, False), number
        assert OUTSIDE not in lamina.attempt("cp", f"{box}:/way{number}/.", "-").out
    for path in (
        f"/proc/self/root{victim}/secret",
        f"/proc/1/root{victim}/secret",
        f"/../..{victim}/secret",
    ):
        done = lamina.attempt("cp", f"{box}:{path}", "-")
        assert (done.code, OUTSIDE in done.out) == (1, False), path
    # The link itself is copied as a link.
    lamina("cp", f"{box}:/way0", str(tmp_path / "copied"))
    assert os.readlink(tmp_path / "copied") == str(victim)


@pytest.mark.parametrize("stopped", [False, True], ids=["running", "stopped"])
def test_copying_in_writes_inside_the_container_alone(lamina, box, victim, tmp_path, stopped):
    mine = tmp_path / "mine"
    mine.write_text("mine")
    lines = [f"ln -s {way} /way{number}" for number, way in enumerate(ways_to(victim))]
    lines += [f"ln -s {victim}/secret /file", f"mkdir -p /in{victim}"]
    lamina("exec", box, "sh", "-c", "; ".join(lines))
    if stopped:
        lamina("kill", box)
    targets = [
        f"/way{number}{rest}" for number in range(4) for rest in ("", "/", "/new", "/secret")
    ]
    for target in [*targets, "/file", f"/proc/self/root{victim}/new"]:
        lamina.attempt(
            "cp", str(mine), f"{box}:{target}"
        )  # what becomes of it inside is another matter
        assert untouched(victim), target


def test_a_folder_that_becomes_a_link_while_it_is_copied_leads_nowhere(
    lamina, box, victim, tmp_path
):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "secret").write_text("mine")
    swap = f"mkdir -p /d /r; ln -s {victim} /l; while :; do mv -T /d /k; mv -T /l /d; mv -T /d /l; mv -T /k /d; done"
    swapper = lamina.start("exec", box, "sh", "-c", swap)
    try:
        for _ in range(4):
            lamina.attempt("cp", f"{mine}/.", f"{box}:/d")
            done = lamina.attempt("cp", f"{box}:/d/.", "-")
            assert OUTSIDE not in done.out
    finally:
        swapper.terminate()
        swapper.communicate()
    assert untouched(victim)


def test_what_was_copied_out_before_is_no_bridge_for_what_comes_next(lamina, box, victim, tmp_path):
    """First a link comes, then a folder of its name with a file in it."""
    out = tmp_path / "out"
    out.mkdir()
    lamina("exec", box, "sh", "-c", f"mkdir /d; ln -s {victim} /d/x; ln -s {victim}/secret /d/y")
    lamina("cp", f"{box}:/d/.", str(out))
    lamina(
        "exec",
        box,
        "sh",
        "-c",
        "rm /d/x /d/y; mkdir /d/x; echo evil > /d/x/secret; echo evil > /d/y",
    )
    lamina.attempt("cp", f"{box}:/d/.", str(out))
    assert untouched(victim)


def test_names_made_to_mislead_stay_names(lamina, box, tmp_path):
    script = "mkdir /d; cd /d; echo 1 > '..\\..\\x'; echo 2 > '-rf'; printf 3 > \"$(printf 'a\\nb')\"; echo 4 > '...'"
    lamina("exec", box, "sh", "-c", script)
    raw = subprocess.run(
        lamina.argv("cp", f"{box}:/d", "-"), env=lamina.environ, capture_output=True, check=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:  # noqa: TID251 - another reader
        names = set(archive.getnames())
    assert names == {"d", "d/..\\..\\x", "d/-rf", "d/a\nb", "d/..."}
    lamina("cp", f"{box}:/d", str(tmp_path))
    assert len(os.listdir(tmp_path / "d")) == 4


def test_mounts_through_links_of_the_image_end_inside(each, victim, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    way = image(each, "ways", data=str(victim), up=f"../../../../..{victim}", home=str(victim))
    for flags in (
        ["-v", f"{mine}:/data/in"], ["-v", "named:/up/deep/er"], ["--tmpfs", "/data/tmp"],
        ["-w", "/data/work"], ["--mount", f"type=bind,src={mine},dst=/up"],
    ):  # fmt: skip
        each.attempt("run", "--rm", *flags, way, "true")  # refused or inside: both are right
        assert untouched(victim), flags


def test_a_volumes_first_content_comes_from_inside(each, victim):
    way = image(each, "volumes", "VOLUME /data", data=str(victim))
    done = each.attempt("run", "--rm", "-v", "first:/data", way, "sh", "-c", "cat /data/*")
    assert OUTSIDE not in done.out
    assert untouched(victim)


def test_host_files_and_user_lists_that_are_links_lead_nowhere(each, victim):
    links = {
        f"etc__{name}": f"{victim}/{name}" for name in ("hosts", "hostname", "resolv_dot_conf")
    }
    links |= {"etc__passwd": f"../../../../../..{victim}/secret", "etc__group": f"{victim}/secret"}
    way = image(each, "links", **links)
    done = each.attempt("run", "--rm", way, "cat", "/etc/passwd", "/etc/group")
    assert OUTSIDE not in done.out
    assert untouched(victim)
    refused = each.attempt("run", "--rm", "-u", "outside", way, "true")
    assert refused.code == 125
    assert "unable to find user outside" in refused.err
