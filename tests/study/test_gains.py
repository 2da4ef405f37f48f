"""Waste put together by what gains it."""

from lamina.study.causes import Cause, Wasted
from lamina.study.gains import Gain, gains, grouped

FILES = (
    Wasted(b"a/b/c/d/one", 5, Cause.DELETED, 1, 2, b"a/b"),
    Wasted(b"a/b/two", 7, Cause.DELETED, 1, 2, b"a/b"),
    Wasted(b"etc/x/y/z/conf", 9, Cause.OVERWRITTEN, 1, 3),
    Wasted(b"etc/x/y/z/more", 9, Cause.OVERWRITTEN, 1, 3),
    Wasted(b"var/cache/apt/p", 4, Cause.CACHE, 3, note=b"apt"),
)
MADE = ("ADD file", "", "RUN " + "x" * 60)


def test_files_stand_together_that_one_change_gains():
    assert [(group.place, group.count, group.size) for group in grouped(FILES)] == [
        (b"etc/x/y", 2, 18), (b"a/b", 2, 12), (b"var/cache/apt/p", 1, 4),
    ]  # fmt: skip
    assert [group.place for group in grouped(FILES, whole=True)] == [
        b"etc/x/y/z/conf", b"etc/x/y/z/more", b"a/b/two", b"a/b/c/d/one", b"var/cache/apt/p",
    ]  # fmt: skip


def test_the_advice_names_layers_by_their_instructions_the_most_first():
    found = gains(grouped(FILES), MADE)
    assert [gain.size for gain in found] == [18, 12, 4]
    assert found[1] == Gain(
        12,
        "remove them in the step that brings them, layer 1 (ADD file): layer 2 only hides them",
    )
    assert found[0].advice.endswith(
        "layer 3 (RUN " + "x" * 35 + "…) replaces what layer 1 (ADD file) brought"
    )
    assert "a cache of apt" in found[2].advice
    assert "apt-get clean" in found[2].advice
