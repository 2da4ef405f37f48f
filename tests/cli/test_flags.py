"""The grammar of flags is that of docker's command (pflag)."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.cli.flags import (
    BOOL,
    BYTES,
    FILTER,
    INT,
    LIST,
    MAP,
    Arguments,
    Command,
    Flag,
    FlagInvalid,
    HelpAsked,
    check_arity,
    parse,
)

FLAGS = (
    Flag("interactive", "i", kind=BOOL),
    Flag("tty", "t", kind=BOOL),
    Flag("detach", "d", kind=BOOL),
    Flag("rm", kind=BOOL),
    Flag("pause", kind=BOOL, default=True),
    Flag("publish", "p", kind=LIST),
    Flag("env", "e", kind=LIST),
    Flag("name"),
    Flag("memory", "m", kind=BYTES),
    Flag("time", "T", kind=INT, default=10),
    Flag("label", "l", kind=MAP),
    Flag("filter", "f", kind=FILTER),
    Flag("pull", default="missing", implied="always"),
)


def read(*words: str, interspersed: bool = True) -> Arguments:
    return parse(FLAGS, words, interspersed=interspersed)


def refusal(*words: str) -> str:
    with pytest.raises(FlagInvalid) as caught:
        read(*words)
    assert caught.value.exit_code == 125
    return caught.value.message


def test_flags_not_given_have_their_defaults_and_are_not_changed():
    arguments = read()
    assert (arguments.flag("rm"), arguments.flag("pause")) == (False, True)
    assert (arguments.text("name"), arguments.number("time")) == ("", 10)
    assert (arguments.texts("env"), arguments.pairs("label"), arguments.filters()) == ((), {}, {})
    assert not arguments.changed("time")


@pytest.mark.parametrize(
    "words", [("-itd",), ("-i", "-t", "-d"), ("-it", "--detach"), ("-id", "-t=true")]
)
def test_boolean_letters_may_be_bundled(words: tuple[str, ...]):
    arguments = read(*words)
    assert all(arguments.flag(name) for name in ("interactive", "tty", "detach"))


def test_a_boolean_takes_its_value_only_with_an_equals_sign():
    assert not read("--rm=false").flag("rm")
    assert not read("--pause=0").flag("pause")
    arguments = read("--rm", "false")
    assert arguments.flag("rm")
    assert arguments.positional == ("false",)


@pytest.mark.parametrize(
    "words",
    [
        ("-p", "80:80"),
        ("-p80:80",),
        ("-p=80:80",),
        ("-itp", "80:80"),
        ("-itp80:80",),
        ("--publish=80:80",),
        ("--publish", "80:80"),
    ],
)
def test_a_value_may_stand_apart_or_close_by(words: tuple[str, ...]):
    assert read(*words).texts("publish") == ("80:80",)


def test_lists_and_maps_gather_and_the_last_single_value_wins():
    arguments = read(
        "-e", "A=1", "-eB=2", "--env=C", "--name", "x", "--name=y", "-l", "a=1", "-l=a=2"
    )
    assert arguments.texts("env") == ("A=1", "B=2", "C")
    assert arguments.text("name") == "y"
    assert arguments.pairs("label") == {"a": "2"}
    assert arguments.changed("name")


def test_filters_of_one_name_gather_their_values():
    assert read("-f", "label=a", "--filter", "label=b=c", "-f=x=1").filters() == {
        "label": ("a", "b=c"),
        "x": ("1",),
    }


def test_an_optional_value_needs_an_equals_sign():
    arguments = read("--pull", "never")
    assert (arguments.text("pull"), arguments.positional) == ("always", ("never",))
    assert read("--pull=never").text("pull") == "never"


def test_flags_after_the_first_word_belong_to_it_where_they_are_not_interspersed():
    arguments = read("-i", "image", "-t", "--", "--rm", interspersed=False)
    assert arguments.positional == ("image", "-t", "--", "--rm")
    assert not arguments.flag("tty")
    assert read("image", "-t").flag("tty")


def test_two_dashes_end_the_flags_and_one_is_a_word():
    assert read("-i", "--", "-t", "--rm").positional == ("-t", "--rm")
    assert read("-", "-i").positional == ("-",)


def test_an_empty_value_is_a_value():
    assert read("--name=").text("name") == ""
    assert read("--name=").changed("name")
    assert read("--name", "").text("name") == ""
    assert read("-e", "").texts("env") == ("",)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--foo"], "unknown flag: --foo"),
        (["--foo=1"], "unknown flag: --foo"),
        (["-z"], "unknown shorthand flag: 'z' in -z"),
        (["-itx"], "unknown shorthand flag: 'x' in -x"),
        (["-t="], "unknown shorthand flag: '=' in -="),
        (["--=x"], "bad flag syntax: --=x"),
        (["---x"], "bad flag syntax: ---x"),
        (["--name"], "flag needs an argument: --name"),
        (["-m"], "flag needs an argument: 'm' in -m"),
        (["-itp"], "flag needs an argument: 'p' in -p"),
        (["-t=maybe"], 'invalid argument "maybe" for "-t, --tty" flag: strconv.ParseBool: parsing "maybe": invalid syntax'),
        (["--rm=false=3"], 'invalid argument "false=3" for "--rm" flag: strconv.ParseBool: parsing "false=3": invalid syntax'),
        (["--memory", "x"], 'invalid argument "x" for "-m, --memory" flag: invalid size: \'x\''),
    ],
)  # fmt: skip
def test_mistakes_are_told_in_dockers_words(words: list[str], message: str):
    assert refusal(*words) == message


def test_a_mistyped_flag_is_answered_with_the_one_that_was_meant():
    with pytest.raises(FlagInvalid) as caught:
        read("--memroy=1")
    assert caught.value.hint == "did you mean --memory?"


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["-ih"], ["image", "--help"]])
def test_help_is_asked_for_wherever_flags_may_stand(words: list[str]):
    with pytest.raises(HelpAsked):
        read(*words)


def test_a_commands_own_h_flag_is_not_help():
    assert parse((Flag("hostname", "h"),), ["-h", "box"]).text("hostname") == "box"


@pytest.mark.parametrize(
    ("arity", "count", "message"),
    [
        ((0, 0), 1, "'lamina x' accepts no arguments"),
        ((1, 1), 0, "'lamina x' requires 1 argument"),
        ((2, 2), 3, "'lamina x' requires 2 arguments"),
        ((1, None), 0, "'lamina x' requires at least 1 argument"),
        ((0, 1), 2, "'lamina x' requires at most 1 argument"),
        ((1, 2), 0, "'lamina x' requires at least 1 argument"),
        ((1, 2), 2, None),
    ],
)
def test_the_number_of_words_is_checked_in_dockers_words(
    arity: tuple[int, int | None], count: int, message: str | None
):
    command = Command(name="x", usage="lamina x", summary="", arity=arity)
    wrong = check_arity(command, "x", count)
    assert (wrong.message if wrong else None) == message


VALUES = st.text(st.characters(blacklist_categories=["Cs"]), max_size=10)


@given(st.lists(VALUES), st.lists(VALUES), st.booleans())
def test_every_value_comes_back_whatever_its_characters(env: list[str], rest: list[str], tty: bool):
    words = [f"--env={value}" for value in env] + [f"--tty={str(tty).lower()}", "--", *rest]
    arguments = read(*words)
    assert arguments.texts("env") == tuple(env)
    assert arguments.positional == tuple(rest)
    assert arguments.flag("tty") == tty


@given(st.lists(st.text(alphabet="-=itpmx8: ", max_size=6)))
def test_any_words_at_all_are_read_or_refused(words: list[str]):
    with suppress(FlagInvalid, HelpAsked):
        assert len(read(*words).positional) <= len(words)
