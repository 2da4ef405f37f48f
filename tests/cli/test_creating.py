import io

import pytest

from lamina.cli.context import Context
from lamina.cli.creating import FLAGS, as_ours, read_env_files, request_of, with_values
from lamina.cli.flags import FlagInvalid, parse
from lamina.engine.requests import CreateRequest
from lamina.errors import Invalid, LaminaError


def request(*words: str, **environ: str) -> CreateRequest:
    context = Context(out=io.StringIO(), err=io.StringIO(), environ=environ)
    return request_of(parse(FLAGS, [*words], interspersed=False), context, attached=True)


def test_words_after_the_image_are_the_command_flags_and_all():
    asked = request("-e", "A=1", "debian", "ls", "-l", "--color")
    assert (asked.image, asked.command, asked.env) == ("debian", ("ls", "-l", "--color"), ("A=1",))


def test_a_bare_variable_takes_this_machines_value_or_goes():
    assert request("-e", "A", "-e", "B", "i", A="here").env == ("A=here",)
    assert with_values(("C=",), {}) == ["C="]
    with pytest.raises(FlagInvalid, match="invalid environment variable"):
        with_values(("=x",), {})


def test_files_of_variables_and_labels_come_before_the_flags(tmp_path):
    (tmp_path / "env").write_text("# note\n\nA=file\nB=two words\nHOME\n")
    (tmp_path / "labels").write_text("k=file\nl\n")
    asked = request(
        "--env-file", f"{tmp_path}/env", "-e", "A=flag", "--label-file", f"{tmp_path}/labels",
        "-l", "k=flag", "i", HOME="/h",
    )  # fmt: skip
    assert asked.env == ("A=file", "B=two words", "HOME=/h", "A=flag")
    assert asked.labels == {"k": "flag", "l": ""}


def test_a_file_that_cannot_be_read_or_understood_is_named(tmp_path):
    (tmp_path / "bad").write_text("A B=1\n")
    for path, words in ((f"{tmp_path}/none", "none"), (f"{tmp_path}/bad", "contains whitespaces")):
        with pytest.raises(Invalid, match=words):
            read_env_files((path,), {})
    with pytest.raises(Invalid, match="invalid label file"):
        request("--label-file", f"{tmp_path}/none", "i")


def test_an_entrypoint_given_empty_clears_the_images():
    assert request("--entrypoint", "", "i").entrypoint == ("",)
    assert request("i").entrypoint is None


def test_every_flag_finds_its_field():
    asked = request(
        "--name", "n", "-w", "/w", "-u", "1:2", "-h", "box", "-it", "--read-only", "--network", "none",
        "--add-host", "a:1.2.3.4", "--cap-add", "A,B", "--cap-drop", "ALL", "--privileged", "--init",
        "--rm", "--stop-signal", "INT", "--stop-timeout", "3", "--shm-size", "1m", "--tmpfs",
        "/t:size=1k", "-v", "/a:/b", "--mount", "type=tmpfs,target=/m", "--security-opt",
        "no-new-privileges", "-m=64m", "--ulimit=nofile=5", "--device=/dev/null", "--health-cmd=c",
        "--log-opt=max-size=1m", "--oom-score-adj=7", "i",
    )  # fmt: skip
    assert (asked.name, asked.workdir, asked.user, asked.hostname) == ("n", "/w", "1:2", "box")
    assert asked.terminal
    assert asked.open_stdin
    assert (asked.cap_add, asked.cap_drop) == (("A", "B"), ("ALL",))
    assert (asked.stop_signal, asked.stop_timeout_s, asked.shm_size) == ("INT", 3, 1 << 20)
    assert asked.tmpfs == {"/t": "size=1k"}
    assert [mount.kind for mount in asked.mounts] == ["bind", "tmpfs"]
    assert asked.auto_remove
    assert (asked.limits.memory, asked.oom_score_adj) == (64 << 20, 7)
    assert (asked.ulimits[0].soft, asked.devices[0].source) == (5, "/dev/null")
    assert (asked.health.command, asked.log_options) == ("c", {"max-size": "1m"})
    assert [place.network for place in asked.networks.endpoints] == ["none"]


@pytest.mark.parametrize(
    "words",
    [("--security-opt", "odd=1"), ("--security-opt", "seccomp=/none.json"), ("--tmpfs", "t")],
)
def test_options_that_are_not_understood_are_refused(words: tuple[str, ...]):
    with pytest.raises(Invalid):
        request(*words, "i")


def test_our_own_failures_end_with_125_and_others_keep_their_code():
    assert as_ours(LaminaError("x")).exit_code == 125  # type: ignore[attr-defined]
    kept = LaminaError("x")
    kept.exit_code = 127  # type: ignore[attr-defined]
    assert as_ours(kept).exit_code == 127  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("=x", "no variable name on line '=x'"),
        ("a b=c", "variable 'a b' contains whitespaces"),
        (b"ok=1\n\xff=2", "contains invalid utf8 bytes at line 2"),
    ],
)
def test_a_line_of_a_file_that_cannot_be_read_is_said_in_dockers_words(tmp_path, text, words):
    (tmp_path / "env").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(Invalid, match=words):
        read_env_files((f"{tmp_path}/env",), {})


def test_values_in_files_stand_as_they_are_with_quotes_and_spaces(tmp_path):
    (tmp_path / "env").write_text('A="q" # no comment \r\n  B=\n#C=1\n', newline="")
    assert read_env_files((f"{tmp_path}/env",), {}) == ['A="q" # no comment ', "B="]


def test_only_streams_that_there_are_can_be_attached():
    with pytest.raises(FlagInvalid, match='"-a, --attach" flag: valid streams are STDIN'):
        request("-a", "stdlog", "i")


@pytest.mark.parametrize("option", ["foo", "size", "size=", "exec=1"])
def test_an_option_of_tmpfs_that_does_not_exist_is_named(option):
    with pytest.raises(Invalid, match=f'Invalid tmpfs option "{option}"'):
        request("--tmpfs", f"/t:{option}", "i")
    for wrong in ("size=zz", "mode=99", "uid=root", "nr_inodes=1x"):
        with pytest.raises(Invalid, match=f'Invalid value of tmpfs option "{wrong}"'):
            request("--tmpfs", f"/t:{wrong}", "i")
    assert request("--tmpfs", "/t:size=50%,mode=1777", "i").tmpfs == {"/t": "size=50%,mode=1777"}
    assert request("--tmpfs", "/t:size=64m,exec", "i").tmpfs == {"/t": "size=64m,exec"}
