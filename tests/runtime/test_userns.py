import os
import subprocess
import threading
from pathlib import Path

import pytest
from tests.containers import plain_python

import lamina
from lamina.runtime import userns

SOURCE = str(Path(lamina.__file__).parent.parent)
PROGRAM = """
import os, sys
sys.path.insert(0, {source!r})
from lamina.runtime import userns
print(userns.enter(), os.geteuid(), os.environ["LAMINA_ROOTLESS_UID"], userns.mapped())
print(userns.enter())
"""


def as_user(uid: int, program: str) -> str:
    python = plain_python()
    words = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", python, "-c", program]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_subordinate_ranges_are_read_by_name_and_by_number(tmp_path):
    file = tmp_path / "subuid"
    file.write_text("me:100000:65536\nother:1:2\n1000:5:6\nbroken\n")
    assert userns.ranges(str(file), "me", 1000) == ((100000, 65536), (5, 6))
    assert userns.ranges(str(tmp_path / "none"), "me", 1000) == ()


def test_outside_there_is_no_outer_user(monkeypatch):
    monkeypatch.delenv("LAMINA_ROOTLESS_UID", raising=False)
    assert userns.rootless_uid() is None
    assert userns.rootless_uid({"LAMINA_ROOTLESS_UID": "1000"}) == 1000


def test_a_hint_is_always_given():
    assert userns.refusal_hint()


@pytest.mark.parametrize(("number", "value"), [(0, "0"), (1, "0"), (2, "1")])
def test_the_setting_that_refuses_is_named_with_what_works_without(
    tmp_path, monkeypatch, number, value
):
    _, name, bad, good = userns._SYSCTLS[number]
    assert value == bad
    file = tmp_path / "setting"
    file.write_text(f"{value}\n")
    monkeypatch.setattr(userns, "_SYSCTLS", ((str(file), name, bad, good),))
    assert f"sysctl -w {name}={good}" in userns.refusal_hint()
    assert "pull, push" in userns.refusal_hint()


@pytest.mark.parametrize(("mode", "words"), [("2", "seccomp=unconfined"), ("0", "run as root")])
def test_a_filter_of_system_calls_is_told_of(tmp_path, monkeypatch, mode, words):
    file = tmp_path / "status"
    file.write_text(f"Name:\tx\nSeccomp:\t{mode}\n")
    monkeypatch.setattr(userns, "_SYSCTLS", ())
    monkeypatch.setattr(userns, "_STATUS", str(file))
    assert words in userns.refusal_hint()
    assert "pull, push" in userns.refusal_hint()


@pytest.mark.parametrize("inside", [True, False])
def test_the_users_id_outside_is_known_inside_too(monkeypatch, inside):
    monkeypatch.setattr(os, "geteuid", lambda: 0 if inside else 1000)
    monkeypatch.delenv("LAMINA_ROOTLESS_UID", raising=False)
    if inside:
        assert userns.outer_uid() is None
        monkeypatch.setenv("LAMINA_ROOTLESS_UID", "1000")
    assert userns.outer_uid() == 1000


@pytest.mark.root
def test_root_stays_root():
    assert not userns.enter()
    assert os.geteuid() == 0


@pytest.mark.root
def test_a_user_without_subordinate_ids_becomes_root_of_one_id():
    assert as_user(54321, PROGRAM.format(source=SOURCE)).split() == [
        "True", "0", "54321", "1", "False",
    ]  # fmt: skip


def test_a_program_with_threads_is_told_to_come_in_before_them(monkeypatch):
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    try:
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        with pytest.raises(userns.NamespaceRefused, match=r"process with \d+ threads") as caught:
            userns.enter()
        assert "enter_namespace()" in caught.value.hint
    finally:
        end.set()
        thread.join()


def test_what_the_mapping_program_says_is_told(tmp_path, monkeypatch):
    program = tmp_path / "newuidmap"
    program.write_text('#!/bin/sh\necho "$@ is refused" >&2\nexit 1\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    spans = [(100000, 65536), (300000, 5)]
    said = userns._newidmap("newuidmap", 7, 1000, spans)
    assert said == "7 0 1000 1 1 100000 65536 65537 300000 5 is refused"
    program.write_text("#!/bin/sh\nexit 1\n")
    assert userns._newidmap("newuidmap", 7, 1000, spans) == "newuidmap failed"
    program.write_text("#!/bin/sh\n")
    assert userns._newidmap("newuidmap", 7, 1000, spans) == ""


def test_a_mapping_program_that_cannot_run_is_named(tmp_path, monkeypatch):
    program = tmp_path / "newuidmap"
    program.write_bytes(b"\x7fELF, but no more of it")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert userns._newidmap("newuidmap", 7, 1000, []) == "newuidmap: Exec format error"
    assert userns._newidmap("no-such-map", 7, 1000, []) == "no-such-map: No such file or directory"
