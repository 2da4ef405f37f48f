"""The explorer driven by keys and the mouse, on a terminal of textual's own."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from functools import partial

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from lamina.cli.explorer.app import Explorer
from lamina.cli.explorer.lines import Signs
from lamina.engine.engine import Engine
from lamina.engine.partial_study import PartialStudy, partly_studied

_LONG_S = 60


class Driven:
    """The explorer while it runs, and what presses its keys."""

    def __init__(self, app: Explorer, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    def screen(self) -> str:
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in strips)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def until(self, *words: str, gone: str = "\0") -> str:
        """Wait until all words are on the screen, and `gone` is not."""
        end = time.monotonic() + _LONG_S
        while True:
            text = self.screen()
            if all(word in text for word in words) and gone not in text:
                return text
            assert time.monotonic() < end, f"{words} without {gone!r}:\n{text}"
            await self.pilot.pause(0.01)


Steps = Callable[[Driven], Coroutine[object, object, None]]
Drive = Callable[..., None]


@pytest.fixture
def drive(world: Engine, opened: PartialStudy) -> Drive:
    """Run steps in the explorer of `three`, of a size."""

    def run(steps: Steps, *, size: tuple[int, int] = (80, 24), unicode: bool = True) -> None:
        async def main() -> None:
            opening = partial(partly_studied, world, "three")
            app = Explorer(opening, opened, Signs(unicode=unicode))
            async with app.run_test(size=size) as pilot:
                driven = Driven(app, pilot)
                await driven.until("Layer 3")
                await steps(driven)

        asyncio.run(main())

    return run


def test_the_first_screen_has_the_stack_the_tree_a_story_and_keys(drive: Drive):
    async def steps(it: Driven) -> None:
        text = await it.until("efficiency", "removed: /a", "3kB ▸ a/")
        lines = text.splitlines()
        assert lines[0].startswith(" 1 Files  2 Waste  3 Packages  4 Secrets")
        assert lines[0].endswith("three  4.83kB  efficiency 0.300")
        assert lines[2].startswith("*3")
        assert "RUN step-3" in lines[2]
        assert "RUN step-1" in lines[4]
        assert " R      3kB ▸ a/" in lines[2]
        assert "q quit" in lines[-1]

    drive(steps)


def test_another_layer_shows_what_that_one_did(drive: Drive):
    async def steps(it: Driven) -> None:
        await it.press("tab", "down")
        text = await it.until("Layer 2 ·", "RUN step-2")
        assert " CH" in text or "AH" in text
        await it.press("l")
        await it.until("Layer 2 ·")
        await it.press("up")
        await it.until("Layers 2-3")
        await it.press("l", "end", "up", "space")
        await it.until("Layer 2 ·")
        await it.press("home", "down", "down", "up", "up")
        await it.until("Layer 3 ·")

    drive(steps)


def test_names_are_found_in_closed_directories_and_other_layers(drive: Drive):
    async def steps(it: Driven) -> None:
        await it.press("slash", *"needle", "enter")
        await it.until("/odd/deep/needle.txt", "1 with 'needle'")
        await it.press("enter")
        text = await it.until("needle.txt", "Layer 1 ·")
        assert "▾ deep/" in text
        await it.press("slash", *"rsa", "enter")
        await it.until("/etc/id_rsa")
        await it.press("escape", "n")
        await it.until("removed: /etc/id_rsa")

    drive(steps)


def test_a_files_content_and_its_whole_story(drive: Drive):
    async def steps(it: Driven) -> None:
        await it.press("slash", *"conf", "enter")
        await it.until("/etc/conf")
        await it.press("enter")
        await it.until("Layer 2 ·", "changed: content")
        await it.press("enter")
        await it.until("new line", "file 0644")
        await it.press("x")
        await it.until("00000000  68 65 6c 6c 6f 0a")
        await it.press("escape", "w")
        await it.until("-old line", "+new line", "RUN step-1")
        await it.press("end", "enter")
        await it.until("Layer 1 ·", gone="-old line")

    drive(steps)


def test_waste_opens_into_files_that_lead_to_the_tree(drive: Drive):
    async def steps(it: Driven) -> None:
        await it.press("2")
        await it.until("deleted later", "overwritten", "to gain")
        await it.press("slash", *"overwr", "enter")
        await it.until("overwritten", gone="deleted later  ")
        await it.press("enter")
        await it.until("Layer 1 ·", "▾ etc/", "changed: content")

    drive(steps)


def test_secrets_say_which_layer_still_has_them(drive: Drive):
    async def steps(it: Driven) -> None:
        await it.press("4")
        text = await it.until("a private key", "/etc/id_rsa")
        assert "AAAA" not in text
        await it.press("3")
        await it.until("0 packages")
        await it.press("escape")
        await it.until("Layer 3")

    drive(steps)


def test_kinds_sorting_hidden_and_attributes_have_their_keys(drive: Drive):
    async def steps(it: Driven) -> None:
        await it.press("u")
        await it.until("ACR-", gone="odd/")
        await it.press("ctrl+u", "s")
        await it.until("ACRU", "by size", "odd/")
        await it.press("s", "s", "b")
        await it.until("by name", "drwxr-xr-x")
        await it.press("tab", "end")
        await it.until("Layer 1 ·")
        await it.press("tab", "h")
        await it.until("hidden only", gone="odd/")
        await it.press("question_mark")
        await it.until("Everywhere")

    drive(steps)


def test_the_mouse_goes_to_lines_tabs_and_keys(drive: Drive):
    async def steps(it: Driven) -> None:
        await it.pilot.click("#stack", offset=(3, 2))
        await it.until("Layer 1 ·")
        await it.pilot.click("#tree", offset=(3, 1))
        await it.pilot.click("#tree", offset=(3, 1))
        await it.until("id_rsa")
        await it.pilot.click("#head", offset=(12, 0))
        await it.until("to gain")

    drive(steps)


def test_no_name_sends_control_characters(drive: Drive):
    async def steps(it: Driven) -> None:
        await it.press("slash", *"evil", "enter")
        await it.press("escape")
        await it.press("slash", *"name", "enter")
        text = await it.until(r"\033''[31mil")
        assert "\x1b" not in text

    drive(steps)


@pytest.mark.parametrize("size", [(20, 5), (40, 12), (63, 40), (200, 60)])
def test_small_and_large_terminals_have_the_tree(drive: Drive, size: tuple[int, int]):
    async def steps(it: Driven) -> None:
        await it.press("down", "up")
        assert all(len(line) <= size[0] for line in it.screen().splitlines())
        await it.pilot.resize_terminal(80, 24)
        await it.until("Layer 3", "etc/")

    drive(steps, size=size)


def test_without_unicode_all_is_ascii(drive: Drive):
    async def steps(it: Driven) -> None:
        text = await it.until("efficiency", "removed: /a")
        assert text.isascii()
        await it.press("question_mark")
        assert (await it.until("Everywhere")).isascii()

    drive(steps, unicode=False)


def test_asking_can_be_given_up_with_letters_that_are_keys_otherwise(drive: Drive):
    async def steps(it: Driven) -> None:
        await it.press("slash", "q", "u")
        assert it.app.query_one(Input).value == "qu"
        await it.press("escape")
        await it.until("ACRU")
        assert not it.app.query(Input)

    drive(steps)
