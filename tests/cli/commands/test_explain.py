"""`lamina explain`: the words it takes, what it offers, and an image taken apart."""

import io
import re

import pytest
from tests.archives import archive
from tests.cli.explaining.reading import mentions, steps
from tests.consoles import Console, console

from lamina.engine.engine import Engine
from lamina.settings import Settings


@pytest.fixture
def here(settings: Settings, engine: Engine) -> Console:
    """A root with images that are called like commands, and one that is not."""
    engine.images.load(io.BytesIO(archive("pull:latest", "known:1")))
    return console(settings)


def test_alone_it_offers_a_lesson_in_the_order_of_the_chapter(here: Console):
    said = here("explain")
    offered = re.findall(r"^   \$ lamina explain (\S+)", said, re.MULTILINE)
    assert offered == ["pull", "debian:12", "run", "commit", "push"]
    assert mentions(said, "known:1, pull:latest — lamina explain known:1")
    assert max(map(len, said.splitlines())) <= 80


def test_an_image_that_is_called_like_a_command_is_named_after_two_dashes_or_with_its_tag(
    here: Console,
):
    told = here("explain", "--", "pull")
    assert steps(told)[0] == "The names"
    assert here("explain", "pull:latest") == told
    bare = here.run("explain", "pull")
    assert bare.code == 1
    assert "'lamina pull' requires 1 argument" in bare.err


def test_a_word_that_is_nearly_a_command_is_told_which_one_was_meant(here: Console):
    said = here.run("explain", "pul", "debian")
    assert said.code == 1
    assert "did you mean `lamina explain pull debian`?" in said.err
    other = here.run("explain", "rmi", "known:1")
    assert "of pull, run, commit and push it does" in other.err
    assert "`lamina rmi --help`" in other.err
    missing = here.run("explain", "debian:12")
    assert (missing.code, missing.err.splitlines()) == (1, [
        "lamina: No such image: debian:12",
        "hint: `lamina explain pull debian:12` fetches it and tells how; `lamina images` lists what is here",
    ])  # fmt: skip


def test_the_commands_own_help_and_its_own_complaints_are_its_own(here: Console):
    assert here("explain", "pull", "--help") == here("pull", "--help")
    assert here("explain", "image", "pull", "--help") == here("pull", "--help")
    wrong = here.run("explain", "pull", "--nosuch", "x")
    assert wrong.code == 125
    assert "unknown flag: --nosuch" in wrong.err
    late = here.run("explain", "pull", "--brief", "x")
    assert late.code == 125
    assert "lamina explain --brief pull …" in late.err
    assert here.run("explain", "commit").code == here.run("commit").code == 1


def test_options_that_make_no_sense_are_refused(here: Console):
    assert "40 columns are the least" in here.run("explain", "--width", "9", "known:1").err
    assert "--json is for an image" in here.run("explain", "--json", "pull", "x").err
    assert "one image at a time" in here.run("explain", "known:1", "other").err


def test_in_brief_there_is_nothing_to_type(here: Console):
    whole, brief = here("explain", "known:1"), here("explain", "--brief", "known:1")
    assert len(brief.splitlines()) < len(whole.splitlines()) / 2
    assert "$ " not in brief
    assert steps(brief) == steps(whole)[:-1]
