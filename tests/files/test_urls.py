"""Where a name ends in `lamina://NAME/PATH`."""

from pathlib import Path

import pytest
from tests.containers import world
from tests.engine.worlds import import_image, make_engine

from lamina.files.urls import known_here, split_url, url_of

DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("url", "name", "path"),
    [
        ("lamina://debian:12/etc/os-release", "debian:12", "/etc/os-release"),
        ("lamina://debian:12", "debian:12", "/"),
        ("lamina://debian/etc", "debian", "/etc"),
        ("lamina://debian:12:/etc/a:/b", "debian:12", "/etc/a:/b"),
        ("lamina://me/app:/x", "me/app", "/x"),
        ("lamina://me/app:1/x/y:2", "me/app:1", "/x/y:2"),
        (f"lamina://me/app@{DIGEST}/x", f"me/app@{DIGEST}", "/x"),
        ("lamina://localhost:5000/app:1/etc/x", "localhost:5000/app:1", "/etc/x"),
        ("lamina://localhost:5000/app/etc/x", "localhost:5000/app", "/etc/x"),
        ("lamina://localhost:5000/team/app/etc:/x", "localhost:5000/team/app/etc", "/x"),
        ("lamina://hub.example.com/team/app:1/etc", "hub.example.com/team/app:1", "/etc"),
        ("lamina://hub.example.com:443/team/app:1/x", "hub.example.com:443/team/app:1", "/x"),
        ("lamina://hub:5000/team/app:1/etc", "hub:5000/team/app:1", "/etc"),
        ("lamina://[::1]:5000/app:1/etc", "[::1]:5000/app:1", "/etc"),
        ("lamina://debian:12/usr/share/perl5/A.pm", "debian:12", "/usr/share/perl5/A.pm"),
        ("lamina://debian:12/", "debian:12", "/"),
        ("lamina://debian:12:/etc/", "debian:12", "/etc"),
        ("/etc/x", "", "/etc/x"),
        ("etc/x", "", "etc/x"),
    ],
)
def test_without_knowing_more_the_first_tag_ends_the_name(url: str, name: str, path: str):
    assert split_url(url) == (name, path, {})


def test_the_longest_name_that_is_here_wins_unless_the_colon_says():
    here = {"app", "app/etc", "debian:12"}

    def known(candidates: list[str]) -> str:
        assert candidates == sorted(candidates, key=len, reverse=True)
        return next((each for each in candidates if each in here), "")

    assert split_url("lamina://app/etc/passwd", known)[:2] == ("app/etc", "/passwd")
    assert split_url("lamina://app:/etc/passwd", known)[:2] == ("app", "/etc/passwd")
    assert split_url("lamina://app/usr", known)[:2] == ("app", "/usr")
    assert split_url("lamina://debian:12/etc", known)[:2] == ("debian:12", "/etc")


def test_options_follow_the_path_and_other_question_marks_are_the_paths():
    url = "lamina://debian:12:/etc/x?layer=2&platform=linux/arm64"
    assert split_url(url) == ("debian:12", "/etc/x", {"layer": "2", "platform": "linux/arm64"})
    assert split_url("lamina://debian:12/etc/x?") == ("debian:12", "/etc/x?", {})
    assert split_url("lamina://debian:12/etc/x?y=1").path == "/etc/x?y=1"
    assert split_url("lamina://debian:12/etc/?.conf?layer=1").path == "/etc/?.conf"


def test_a_url_that_was_made_is_read_as_it_was_meant():
    for name in ("debian:12", "localhost:5000/team/app", f"a/b@{DIGEST}"):
        for path in ("/", "/etc/x", "/a:b/c:/d", "/x?layer=2", "/x?layer=2?", "/x??", "/x?y=1"):
            place = split_url(url_of(name, path, layer="3"))
            assert place == (name, path, {"layer": "3"})
            assert split_url(url_of(name, path)) == (name, path, {})


def test_images_of_this_machine_are_known_by_name_and_id(tmp_path: Path, monkeypatch):
    with make_engine(tmp_path) as engine:
        image = import_image(engine, "localhost:5000/team/app:1")
        monkeypatch.setenv("LAMINA_ROOT", engine.settings.root)
        import_image(engine, "plain")
    assert split_url("lamina://localhost:5000/team/app:1/etc", known_here)[:2] == (
        "localhost:5000/team/app:1", "/etc",
    )  # fmt: skip
    assert split_url("lamina://plain/etc/motd", known_here)[:2] == ("plain", "/etc/motd")
    for name in (image.hex, image.hex[:12], str(image)):
        assert split_url(f"lamina://{name}/etc", known_here)[:2] == (name, "/etc")
    assert known_here(["no/such", "no"]) == ""
    monkeypatch.setenv("LAMINA_ROOT", str(tmp_path / "other"))
    assert known_here(["plain/etc", "plain"]) == ""


@pytest.mark.root
def test_a_container_of_this_machine_is_known(tmp_path: Path, monkeypatch):
    with world(tmp_path) as lamina:
        lamina("create", "--name", "Box", "tiny")
        monkeypatch.setenv("LAMINA_ROOT", lamina.settings.root)
        monkeypatch.setenv("LAMINA_RUN_ROOT", lamina.settings.run_root)
        assert split_url("lamina://Box/etc/passwd", known_here)[:2] == ("Box", "/etc/passwd")
