import io

from lamina.cli.context import Context
from lamina.cli.each import for_each
from lamina.errors import LaminaError


def test_what_worked_is_printed_and_what_failed_is_told():
    context = Context(out=io.StringIO(), err=io.StringIO(), environ={})

    def deed(name: str) -> int | None:
        if name == "bad":
            raise LaminaError("no such thing", hint="try another")
        return 5 if name == "number" else None

    assert for_each(context, ["a", "bad", "number"], deed) == 1
    assert context.out.getvalue() == "a\n5\n"  # type: ignore[union-attr]
    assert context.err.getvalue() == "lamina: no such thing\nhint: try another\n"  # type: ignore[union-attr]
    assert for_each(context, [], deed) == 0
