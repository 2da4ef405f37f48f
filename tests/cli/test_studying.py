"""Which names mean an image at a registry; tests/cli/commands/test_index.py opens some."""

import pytest

from lamina.cli.commands.waste import COMMAND
from lamina.cli.flags import parse
from lamina.cli.studying import PREFIX, is_remote
from lamina.errors import Invalid


@pytest.mark.parametrize(
    ("words", "remote"),
    [
        (["app"], False),
        (["--remote", "app"], True),
        ([f"{PREFIX}app"], True),
        (["--remote", "--platform", "linux/arm64", "app"], True),
    ],
)
def test_an_image_is_remote_where_its_name_or_the_flag_says_so(words: list[str], remote: bool):
    arguments = parse(COMMAND.flags, words)
    assert is_remote(arguments, arguments.positional[0]) is remote


def test_what_is_here_has_one_platform():
    with pytest.raises(Invalid, match="for images at a registry"):
        is_remote(parse(COMMAND.flags, ["--platform", "linux/arm64", "app"]), "app")
