"""Help is laid out as docker's own."""

import shutil
import subprocess

from lamina.cli.flags import BOOL, FILTER, INT, LIST, Command, Flag
from lamina.cli.formats import FORMAT
from lamina.cli.help import command_help, command_list, flag_list

COMMIT_OPTIONS = """\
  -a, --author string    Author (e.g., "John Hannibal Smith
                         <hannibal@a-team.com>")
  -c, --change list      Apply Dockerfile instruction to the created image
  -m, --message string   Commit message
  -p, --pause            Pause container during commit (default true)"""


def test_the_options_of_commit_are_laid_out_as_docker_lays_them_out():
    from lamina.cli.commands.commit import COMMAND

    ours = (
        "compression-format", "compression-level", "format", "iidfile", "include-volumes", "quiet",
        "squash", "strict",
    )  # fmt: skip
    dockers = [flag for flag in COMMAND.flags if flag.name not in ours]
    assert len(dockers) == len(COMMAND.flags) - len(ours)
    assert flag_list(dockers) == COMMIT_OPTIONS


def test_options_are_sorted_defaults_are_told_and_hidden_ones_are_not():
    flags = (
        Flag("zeta", "z", kind=INT, default=3, help="Last"),
        Flag("alpha", help="First", default="x"),
        Flag("secret", kind=BOOL, hidden=True),
        Flag("many", kind=LIST, help="Some"),
        Flag("sieve", kind=FILTER, help="Filter"),
    )
    assert flag_list(flags) == (
        '      --alpha string   First (default "x")\n'
        "      --many list      Some\n"
        "      --sieve filter   Filter\n"
        "  -z, --zeta int       Last (default 3)"
    )


def test_the_long_text_of_format_breaks_where_dockers_does():
    text = flag_list((FORMAT, Flag("filter", "f", kind=FILTER, help="x")))
    assert "                        'table TEMPLATE':   Print output in table format\n" in text
    assert "                        using the given Go template\n" in text


def test_a_narrow_terminal_puts_the_text_under_the_name():
    text = flag_list(
        (Flag("a-very-long-name-for-a-flag", help="One two three four five"),), width=50
    )
    assert text.splitlines()[1].startswith(" " * 16 + "One")


def test_a_command_is_helped_by_the_name_it_was_called_by():
    command = Command(name="images", usage="lamina images [OPTIONS]", summary="List images")
    assert command_help(command, "image ls", ("image ls", "images")) == (
        "Usage:  lamina image ls [OPTIONS]\n\nList images\n\nAliases:\n"
        "  lamina image ls, lamina images\n"
    )


def test_the_installed_docker_lays_out_the_same_options_for_commit():
    docker = shutil.which("docker")
    if docker is None:  # the recorded text above is what it said
        return
    said = subprocess.run([docker, "commit", "--help"], capture_output=True, text=True, check=True)
    assert said.stdout.partition("Options:\n")[2].rstrip("\n") == COMMIT_OPTIONS


def test_a_long_name_of_a_command_keeps_its_distance_from_what_it_does():
    assert command_list((("ls", "List"), ("import-registry", "Bring"))) == (
        "  ls              List\n  import-registry Bring"
    )
