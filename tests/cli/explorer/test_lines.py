"""Lines in pieces: cut to columns, bars, nothing that moves a cursor."""

from lamina.cli.explorer.keys import KEYS, keys_line
from lamina.cli.explorer.lines import Signs, fit, harmless, text_of
from lamina.cli.file_names import width


def test_a_text_is_cut_to_columns_wide_letters_counted_as_two():
    assert fit("abc", 5) == "abc  "
    assert fit("abcdef", 4) == "abc…"
    assert width(fit("日本語日本語", 6)) == 6
    assert fit("abc", 0) == ""


def test_control_characters_and_what_a_terminal_lacks_are_replaced():
    assert harmless("a\tb\x1b[1m\u202e", unicode=True) == "a b?[1m?"
    assert harmless("é", unicode=False) == "?"


def test_a_bar_shows_whatever_is_more_than_nothing():
    signs = Signs(unicode=True)
    assert signs.bar(1, 4) == "████"
    assert signs.bar(0.001, 4) == "▏   "
    assert signs.bar(0, 4) == "    "
    assert Signs(unicode=False).bar(0.5, 4) == "##  "


def test_help_and_the_way_out_are_the_last_keys_to_go():
    for focus in KEYS:
        for columns in (20, 40, 60, 80, 200):
            line, ends = keys_line(focus, columns)
            assert len(text_of(line)) <= columns
            assert ends[-1][1] in ("stop", "quit")
    assert text_of(keys_line("tree", 80)[0]).strip() == (
        "enter open  / find  s sort  acruh show  w whence  tab layers  ? help  q quit"
    )
