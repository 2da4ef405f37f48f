import io

import pytest

from lamina.cli.context import Context
from lamina.cli.flags import FlagInvalid, parse
from lamina.cli.limiting import CREATE_FLAGS, limits_of, warn
from lamina.spec.limits import Limits


def test_flags_become_limits():
    words = ["-m", "64m", "--memory-swap=-1", "--cpus", ".5", "--cpuset-cpus=0", "--pids-limit=-1"]
    assert limits_of(parse(CREATE_FLAGS, words)) == Limits(
        memory=64 << 20, memory_swap=-1, nano_cpus=500_000_000, cpuset_cpus="0", pids=-1
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-m", "lots"], 'invalid argument "lots" for "-m, --memory" flag: invalid size: \'lots\''),
        (
            ["--cpus", "x"],
            'invalid argument "x" for "--cpus" flag: failed to parse x as a rational',
        ),
        (["--memry=1"], "unknown flag: --memry"),
    ],
)
def test_bad_values_are_told_as_docker_does(words, message):
    with pytest.raises(FlagInvalid) as error:
        parse(CREATE_FLAGS, words)
    assert error.value.message.startswith(message)


def test_a_limit_that_is_not_kept_is_never_dropped_in_silence(monkeypatch):
    from lamina.runtime import hierarchies

    monkeypatch.setattr(hierarchies, "bases", dict)
    context = Context(out=io.StringIO(), err=(err := io.StringIO()), environ={})
    warn(context, Limits(pids=4))
    assert "WARNING: Your kernel does not support pids limit" in err.getvalue()
    assert "`lamina info` says what is kept" in err.getvalue()
