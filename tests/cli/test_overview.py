"""What stands before any command."""

import pytest
from tests.consoles import Console

from lamina import __version__


def test_lamina_alone_prints_the_commands_in_groups():
    text = Console()()
    assert text == Console()("--help")
    for title in ("Common Commands:", "Management Commands:", "Commands:", "Global Options:"):
        assert f"\n{title}\n" in text
    assert "  pull        Download an image from a registry\n" in text
    assert text.endswith("Run 'lamina COMMAND --help' for more information on a command.\n")


@pytest.mark.parametrize("words", [("image",), ("image", "--help"), ("help", "image")])
def test_a_group_alone_prints_its_members(words: tuple[str, ...]):
    text = Console()(*words)
    assert text.startswith("Usage:  lamina image COMMAND\n\nManage images\n\nCommands:\n")
    assert "  ls          List images\n" in text


@pytest.mark.parametrize("word", ["-v", "--version", "--version=true"])
def test_the_version_is_one_line(word: str):
    assert Console()(word) == f"Lamina version {__version__}\n"


def test_the_root_can_be_given_before_the_command(tmp_path):
    said = Console({"LAMINA_ROOT": "/nowhere"}).run("--root", str(tmp_path / "r"), "images")
    assert said.code == 0
    assert (tmp_path / "r" / "index.json").exists() or (tmp_path / "r").exists()


def test_the_storage_driver_can_be_given_before_the_command(tmp_path):
    root = ("--root", str(tmp_path / "r"), "--runroot", str(tmp_path / "run"))
    chosen = ("--storage-driver", "copied", "--storage-opt", "erofs=none")
    form = ("info", "--format", "{{.Driver}} {{.LaminaRunDir}}")
    said = Console({"LAMINA_STORAGE_DRIVER": "unpacked"}).run(*root, *chosen, *form)
    assert (said.code, said.out) == (0, f"copied {tmp_path}/run\n")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--storage-driver", "zfs"), "unknown storage driver 'zfs'"),
        (("--storage-opt", "erofs=loop", "--storage-opt=size=1"), "unknown storage option 'size'"),
    ],
)
def test_a_storage_choice_that_does_not_exist_is_refused(tmp_path, flags, message: str):
    said = Console().run("--root", str(tmp_path / "r"), *flags, "info")
    assert said.code == 1
    assert message in said.err


def test_debug_shows_where_a_failure_came_from(tmp_path):
    said = Console().run("--debug", f"--root={tmp_path}", "image", "inspect", "nosuch")
    assert said.code == 1
    traced = Console().run("-D", f"--root={tmp_path}", "history", "nosuch")
    assert "Traceback" in traced.err
    assert "lamina: No such image: nosuch:latest" in traced.err


def test_an_unknown_global_flag_is_refused_with_125():
    said = Console().run("--nosuch", "images")
    assert said.code == 125
    assert said.err.startswith("unknown flag: --nosuch\n\nUsage:  lamina [OPTIONS] COMMAND")
