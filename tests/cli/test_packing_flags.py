"""Flags of packing are read alike wherever they stand."""

import pytest

from lamina.cli.commands.commit import COMMAND as COMMIT
from lamina.cli.commands.push import COMMAND as PUSH
from lamina.cli.flags import Command, FlagInvalid, parse
from lamina.cli.packing_flags import read_compression
from lamina.stream.codec import Compression


@pytest.mark.parametrize("command", [COMMIT, PUSH], ids=["commit", "push"])
@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ((), None),
        (("--compression-format", "zstd"), Compression("zstd", 3)),
        (("--compression", "zstd", "--compression-level", "9"), Compression("zstd", 9)),
        (("--compression-level", "6"), Compression("gzip", 6)),
        (("--compression-format=none",), Compression("", 0)),
    ],
)
def test_what_is_asked_for_is_read(
    command: Command, words: tuple[str, ...], wanted: Compression | None
):
    assert read_compression(parse(command.flags, [*words, "x"])) == wanted


def test_push_knows_a_shorter_word_for_the_level():
    words = ["--compression", "zstd", "--level", "7", "x"]
    assert read_compression(parse(PUSH.flags, words)) == Compression("zstd", 7)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--compression-format", ""), '"" for "--compression-format"'),
        (("--compression", "lzma"), '"lzma" for "--compression"'),
        (("--compression-level", "12"), '"12" for "--compression-level"'),
    ],
)
def test_what_does_not_exist_is_refused_by_its_flag(words: tuple[str, ...], named: str):
    with pytest.raises(FlagInvalid, match=f"invalid argument {named} flag"):
        read_compression(parse(PUSH.flags, [*words, "x"]))
