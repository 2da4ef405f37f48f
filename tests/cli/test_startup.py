"""A postponed module is the real one as soon as anybody looks."""

import subprocess
import sys


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    return done.stdout


POSTPONE = "import sys; from lamina.cli.startup import postpone; postpone('inspect'); "


def test_the_first_use_makes_it_real():
    code = (
        "import inspect; print(inspect.signature(len), sys.modules['inspect'].__spec__ is not None)"
    )
    assert run(POSTPONE + code) == "(obj, /) True\n"
    assert (
        run(POSTPONE + "from inspect import Parameter; print(Parameter.empty.__name__)")
        == "_empty\n"
    )


def test_a_module_already_loaded_is_left_alone():
    code = "import inspect, sys; from lamina.cli.startup import postpone; postpone('inspect'); print(sys.modules['inspect'] is inspect)"
    assert run(code) == "True\n"


def test_a_package_that_was_made_whole_has_its_modules():
    code = (
        "import sys; from lamina.cli.startup import lighten, make_whole; lighten(); import ctypes;"
        " make_whole('ctypes'); import ctypes.util;"
        " print(ctypes.util.find_library.__name__, ctypes.sizeof(ctypes.c_ulong))"
    )
    assert run(code) == "find_library 8\n"
