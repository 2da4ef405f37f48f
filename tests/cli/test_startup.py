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


def test_dataclasses_do_not_need_inspect():
    code = (
        "from dataclasses import dataclass\n"
        "@dataclass(frozen=True, slots=True)\nclass A:\n    'Doc.'\n    x: int = 1\n"
        "print(A().x, 'ast' in sys.modules)"
    )
    loaded = sys.version_info >= (3, 12)  # there, classes ask it for their annotations
    assert run(POSTPONE + "\n" + code) == f"1 {loaded}\n"


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


CLASSES = """
from dataclasses import FrozenInstanceError, dataclass, field, replace

@dataclass(frozen=True, slots=True)
class Point:
    "Doc."
    x: int
    y: list = field(default_factory=list, hash=False, compare=False)
    def __post_init__(self):
        print("made", self.x)

@dataclass(frozen=True, slots=True)
class Deep(Point):
    "Doc."
    z: int = 3

@dataclass(order=True)
class Open:
    "Doc."
    a: int = 1
    b: str = field(default="b", kw_only=True)

one, two = Deep(1, z=4), Deep(1, [5], 4)
print(one, two, one == two, hash(one) == hash(two), one != Deep(2), one == 5, replace(one, x=9))
print(Deep.__init__.__qualname__, Point(7), Open(2) > Open(1), Open() <= Open(b="c"), Open())
for act in (lambda: setattr(one, "x", 2), lambda: delattr(one, "x"), lambda: Point(), lambda: hash(Open())):
    try:
        act()
    except (FrozenInstanceError, TypeError) as error:
        print(type(error).__name__, error)
print({one: 1}[two], len({one, two}), type(one).__slots__)
"""


def test_methods_compiled_at_their_first_call_are_the_same():
    later = "from lamina.cli.startup import compile_later, postpone; postpone('dataclasses', compile_later)\n"
    assert run(later + CLASSES) == run(CLASSES)
    count = "import dataclasses\nprint(dataclasses._create_fn.__name__)"
    if sys.version_info < (3, 13):
        assert run(later + count) == "create\n"
