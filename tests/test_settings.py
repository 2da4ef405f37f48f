import os
import pwd
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.errors import Invalid
from lamina.settings import Settings, home_of

NOBODY = "2147480000"
"""A number that no account has."""

PLAIN = {"HOME": "/home/me", "LAMINA_ROOTLESS_UID": "1000"}


def test_root_keeps_its_images_where_services_do():
    settings = Settings.from_environment({"HOME": "/home/me", "LAMINA_ROOTLESS_UID": "0"})
    assert (settings.root, settings.run_root) == ("/var/lib/lamina", "/run/lamina")


def test_everyone_else_keeps_them_in_their_own_folders(tmp_path):
    settings = Settings.from_environment({**PLAIN, "XDG_RUNTIME_DIR": str(tmp_path)})
    assert settings.root == "/home/me/.local/share/lamina"
    assert settings.run_root == f"{tmp_path}/lamina"
    assert settings.docker_config == "/home/me/.docker"


def test_without_a_home_the_accounts_counts_and_never_roots():
    account = pwd.getpwall()[-1]
    environ = {"LAMINA_ROOTLESS_UID": str(account.pw_uid)}
    home = pwd.getpwuid(account.pw_uid).pw_dir
    assert home_of(environ) == home
    assert home_of({**environ, "HOME": "/else"}) == "/else"
    if account.pw_uid:
        assert Settings.from_environment(environ).root == f"{home}/.local/share/lamina"


def test_an_account_without_a_home_is_told_what_to_set():
    environ = {"LAMINA_ROOTLESS_UID": NOBODY}
    with pytest.raises(Invalid, match=f"user {NOBODY} has no home folder") as caught:
        Settings.from_environment(environ)
    assert "LAMINA_ROOT" in caught.value.hint
    found = Settings.from_environment({**environ, "LAMINA_ROOT": "/srv"})
    assert (found.root, found.docker_config) == ("/srv", "/.docker")


def test_a_runtime_folder_that_is_gone_or_anothers_is_passed_over(tmp_path, monkeypatch):
    environ = {**PLAIN, "LAMINA_ROOTLESS_UID": NOBODY}
    for folder in ("", str(tmp_path / "gone")):
        found = Settings.from_environment({**environ, "XDG_RUNTIME_DIR": folder})
        assert found.run_root == f"/tmp/lamina-{NOBODY}/lamina"
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    found = Settings.from_environment({**environ, "XDG_RUNTIME_DIR": str(tmp_path)})
    assert found.run_root == f"/tmp/lamina-{NOBODY}/lamina"


@pytest.mark.root
def test_a_run_root_that_somebody_else_made_is_not_used():
    folder = Path(f"/tmp/lamina-{NOBODY}")
    folder.mkdir()
    try:
        os.chown(folder, 12345, 12345)
        with pytest.raises(Invalid, match="is somebody else's"):
            Settings.from_environment({**PLAIN, "LAMINA_ROOTLESS_UID": NOBODY})
    finally:
        folder.rmdir()


def test_the_xdg_folders_count():
    assert Settings.from_environment({**PLAIN, "XDG_DATA_HOME": "/data"}).root == "/data/lamina"


def test_a_root_of_ones_own_gets_a_run_root_of_its_own():
    one = Settings.from_environment({**PLAIN, "LAMINA_ROOT": "/srv/one"})
    two = Settings.from_environment({**PLAIN, "LAMINA_ROOT": "/srv/two"})
    assert one.run_root != two.run_root
    assert one == Settings.from_environment({**PLAIN, "LAMINA_ROOT": "/srv/one"})


def test_a_relative_root_becomes_absolute():
    settings = Settings.from_environment({**PLAIN, "LAMINA_ROOT": "here"})
    assert settings.root == os.path.abspath("here")


def test_choices_come_from_the_environment():
    settings = Settings.from_environment(
        {**PLAIN, "LAMINA_STORAGE_DRIVER": "unpacked", "LAMINA_RUNTIME": "runc",
         "LAMINA_RUN_ROOT": "/tmp/run", "DOCKER_CONFIG": "/cfg"}
    )  # fmt: skip
    assert (settings.storage_driver, settings.runtime) == ("unpacked", "runc")
    assert (settings.run_root, settings.docker_config) == ("/tmp/run", "/cfg")


def test_storage_options_are_pairs_separated_by_commas():
    def read(text):
        return Settings.from_environment({**PLAIN, "LAMINA_STORAGE_OPT": text})

    plain = read("")
    assert (plain.erofs, plain.directio, plain.max_lowers) == ("", True, 500)
    found = read(" erofs = loop,directio=off,,max-lowers=8")
    assert (found.erofs, found.directio, found.max_lowers) == ("loop", False, 8)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("size=10G", "unknown storage option 'size'"),
        ("erofs=fuse", "erofs=fuse: it takes file or loop or none"),
        ("max-lowers=1", "max-lowers=1: it takes a number from 2 to 500"),
        ("max-lowers=501", "a number from 2 to 500"),
        ("max-lowers=\u0664\u0662", "a number"),
        ("directio", "directio=: it takes on or off"),
    ],
)
def test_a_storage_option_that_does_not_exist_is_refused(text: str, said: str):
    with pytest.raises(Invalid, match=re.escape(said)):
        Settings.from_environment({**PLAIN, "LAMINA_STORAGE_OPT": text})


def test_an_environment_left_out_is_the_processs_own(monkeypatch):
    monkeypatch.setenv("LAMINA_ROOT", "/srv/mine")
    assert Settings.from_environment().root == "/srv/mine"


@given(st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=300))
def test_a_run_root_leaves_room_for_socket_names(root: str):
    settings = Settings.from_environment({**PLAIN, "LAMINA_ROOT": "/" + root})
    assert len(os.fsencode(settings.run_root)) < 60


@pytest.mark.parametrize(
    ("text", "seconds"), [("", 3600), ("90s", 90), ("30m", 1800), ("2d", 172800), ("off", 0)]
)
def test_removed_images_are_kept_for_a_span_of_time(text, seconds):
    assert Settings.from_environment({**PLAIN, "LAMINA_UNDO": text}).undo_s == seconds


@pytest.mark.parametrize("text", ["1", "h", "-1h", "1.5h", "1w", "\u0661h"])
def test_a_span_that_is_none_is_refused(text):
    with pytest.raises(Invalid, match="LAMINA_UNDO"):
        Settings.from_environment({**PLAIN, "LAMINA_UNDO": text})


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("", 0), ("off", 0), ("0", 0), ("20GB", 20 * 10**9), ("20g", 20 * 10**9), ("500 MB", 5 * 10**8),
        ("1.5TiB", 3 * 2**39), ("64Ki", 65536),
    ],
)  # fmt: skip
def test_a_quota_is_a_size(text, size):
    assert Settings.from_environment({**PLAIN, "LAMINA_QUOTA": text}).quota == size


@pytest.mark.parametrize("text", ["20", "GB", "-1GB", "1XB", "1.2.3GB", "\u0661GB", "1e3GB"])
def test_a_quota_that_is_no_size_is_refused(text):
    with pytest.raises(Invalid, match="LAMINA_QUOTA"):
        Settings.from_environment({**PLAIN, "LAMINA_QUOTA": text})
