"""Go templates as people write them after `--format`, applied to plain documents.

Fields are keys of dicts; a key that is not there prints `<no value>`, and a name in other
capitals (`.ID` for `.Id`) is found all the same, because Docker's structs and its JSON differ so.
"""

from __future__ import annotations

from lamina.cli.template_functions import FUNCTIONS, CallFailed, WrongArgument, truth
from lamina.cli.template_syntax import Node, TemplateInvalid, parse_template
from lamina.cli.template_values import NO_VALUE, format_value, type_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["Template", "TemplateInvalid"]

_NAMES = frozenset((*FUNCTIONS, "and", "or"))
_DEPTH_LIMIT = 100


class Template:
    """A template, read once and applied as often as wanted.

    Raises: TemplateUnreadable.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._body, self._defined = parse_template(text, _NAMES)

    def render(
        self, value: object, *, strict: bool = False, shown: Callable[[str], str] = str
    ) -> str:
        """Apply to `value`; `strict` refuses fields that `value` itself lacks.

        What the template says itself is printed as it is, values as `shown` gives them.
        Callables among a dict's values are its methods: `{{.Label "x"}}` calls one.
        Raises: TemplateInvalid (a field, type or function does not fit).
        """
        out: list[str] = []
        _Execution(self, value, out, strict=strict, shown=shown).walk(self._body, value)
        return "".join(out)

    def defined(self, name: str) -> list[Node] | None:
        """Give the statements of `{{define "name"}}`."""
        return self._defined.get(name)


class _Leave(Exception):
    """`{{break}}` or `{{continue}}`."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class _Execution:
    """One application: the variables, and where the text goes."""

    def __init__(
        self,
        template: Template,
        root: object,
        out: list[str],
        *,
        strict: bool,
        shown: Callable[[str], str],
        depth: int = 0,
    ) -> None:
        self.template = template
        self.root = root
        self.out = out
        self.strict = strict
        self.shown = shown
        self.depth = depth
        self.variables: list[tuple[str, object]] = [("$", root)]
        self._statements: dict[str, Callable[[Node, object], None]] = {
            "text": lambda node, _: self.out.append(str(node.value)),
            "pipe": self._print,
            "if": self._if,
            "with": self._with,
            "range": self._range,
            "template": self._template,
        }

    def walk(self, nodes: Sequence[Node], dot: object) -> None:
        """Apply `nodes` in order; what they declare ends with them."""
        known = len(self.variables)
        for node in nodes:
            if node.kind in ("break", "continue"):
                raise _Leave(node.kind)
            self._statements[node.kind](node, dot)
        del self.variables[known:]

    def wrong(self, node: Node, message: str, *, at: int | None = None) -> TemplateInvalid:
        text = self.template.text
        position = node.position if at is None else at
        start = text.rfind("\n", 0, position) + 1
        line = text.count("\n", 0, position) + 1
        column = len(text[start:position].encode(errors="surrogateescape"))
        return TemplateInvalid(
            f'template parsing error: template: :{line}:{column}: executing "" '
            f"at <{node.source}>: {message}"
        )

    def _print(self, node: Node, dot: object) -> None:
        value = self._pipe(node, dot)
        if not node.names:
            self.out.append(self.shown(NO_VALUE if value is None else format_value(value)))

    def _if(self, node: Node, dot: object) -> None:
        known = len(self.variables)
        chosen = node.body if truth(self._pipe(node.parts[0], dot)) else node.other
        self.walk(chosen, dot)
        del self.variables[known:]

    def _with(self, node: Node, dot: object) -> None:
        known = len(self.variables)
        value = self._pipe(node.parts[0], dot)
        if truth(value):
            self.walk(node.body, value)
        else:
            self.walk(node.other, dot)
        del self.variables[known:]

    def _range(self, node: Node, dot: object) -> None:
        pipe = node.parts[0]
        known = len(self.variables)
        names, pipe_names = pipe.names, pipe.names if pipe.value == ":=" else ()
        rows = list(self._rows(pipe, self._commands(pipe, dot)))
        try:
            for key, item in rows:
                values = (key, item) if len(names) > 1 else (item,)
                del self.variables[known:]
                for name, value in zip(names, values, strict=False):
                    self._bind(name, value, declare=bool(pipe_names))
                try:
                    self.walk(node.body, item)
                except _Leave as leave:
                    if leave.kind == "break":
                        break
        finally:
            del self.variables[known:]
        if not rows:
            self.walk(node.other, dot)

    def _rows(self, pipe: Node, value: object) -> Iterator[tuple[object, object]]:
        if value is None:
            return iter(())
        if isinstance(value, dict):
            return iter([(key, value[key]) for key in sorted(value)])
        if isinstance(value, (list, tuple)):
            return iter(enumerate(value))
        if isinstance(value, int) and not isinstance(value, bool):
            return iter(enumerate(range(value)))
        raise self.wrong(pipe, f"range can't iterate over {format_value(value)}")

    def _template(self, node: Node, dot: object) -> None:
        body = self.template.defined(str(node.value))
        if body is None:
            raise self.wrong(node, f'template "{node.value}" not defined')
        if self.depth > _DEPTH_LIMIT:
            raise self.wrong(node, "exceeded maximum template depth")
        value = self._pipe(node.parts[0], dot) if node.parts else None
        inner = _Execution(
            self.template,
            value,
            self.out,
            strict=False,
            shown=self.shown,
            depth=self.depth + 1,
        )
        inner.walk(body, value)

    def _pipe(self, node: Node, dot: object) -> object:
        value = self._commands(node, dot)
        for name in node.names:
            self._bind(name, value, declare=node.value == ":=")
        return value

    def _commands(self, node: Node, dot: object) -> object:
        value: object = None
        for stage, command in enumerate(node.parts):
            value = self._command(command, dot, (value,) if stage else ())
        return value

    def _bind(self, name: str, value: object, *, declare: bool) -> None:
        if not declare:
            for index in range(len(self.variables) - 1, -1, -1):
                if self.variables[index][0] == name:
                    self.variables[index] = (name, value)
                    return
        self.variables.append((name, value))

    def _command(self, node: Node, dot: object, piped: tuple[object, ...]) -> object:
        first, rest = node.parts[0], node.parts[1:]
        if first.kind == "function":
            return self._function(node, first, dot, piped)
        if first.kind in ("field", "variable", "chain"):
            arguments = [self._operand(part, dot) for part in rest]
            return self._fields(first, dot, (*arguments, *piped), called=bool(rest or piped))
        if rest or piped:
            raise self.wrong(first, f"can't give argument to non-function {first.source}")
        if first.kind == "nil":
            raise self.wrong(first, "nil is not a command")
        return self._operand(first, dot)

    def _operand(self, node: Node, dot: object) -> object:
        if node.kind == "dot":
            return dot
        if node.kind == "nil":
            return None
        if node.kind == "literal":
            return node.value
        if node.kind == "pipe":
            return self._pipe(node, dot)
        if node.kind == "function":
            return self._function(node, node, dot, ())
        return self._fields(node, dot, (), called=False)

    def _fields(
        self, node: Node, dot: object, arguments: tuple[object, ...], *, called: bool
    ) -> object:
        """Follow `.A.B` from dot, a variable or a parenthesis; call a method found at the end."""
        value = dot
        if node.kind == "variable":
            value = next(v for name, v in reversed(self.variables) if name == node.value)
        elif node.kind == "chain":
            value = self._operand(node.parts[0], dot)
        at = node.position + (len(str(node.value)) if node.kind == "variable" else 0)
        for name in node.names:
            value = self._field(node, value, name, at)
            at += len(name) + 1
        if callable(value):
            try:
                return value(*arguments)
            except TypeError as error:
                raise self.wrong(node, f"error calling {node.source}: {error}") from None
        if called:
            what = node.names[-1] if node.names else node.source
            raise self.wrong(node, f"{what} has arguments but cannot be invoked as function")
        return value

    def _field(self, node: Node, value: object, name: str, at: int) -> object:
        if value is None:
            return None
        if not isinstance(value, dict):
            message = f"can't evaluate field {name} in type {type_name(value)}"
            raise self.wrong(node, message, at=at)
        if name in value:
            return value[name]
        plain = name.lower()
        for key in value:
            if isinstance(key, str) and key.lower() == plain:
                return value[key]
        if self.strict and value is self.root:
            known = ", ".join(f".{key}" for key in value)
            message = self.wrong(node, f"can't evaluate field {name}", at=at).message
            raise TemplateInvalid(message, hint=f"there are {known}")
        return None

    def _function(
        self, command: Node, node: Node, dot: object, piped: tuple[object, ...]
    ) -> object:
        name = str(node.value)
        parts = command.parts[1:]
        if name in ("and", "or"):
            return self._logic(node, parts, dot, piped)
        function, least, most = FUNCTIONS[name]
        count = len(parts) + len(piped)
        if count < least or (most is not None and count > most):
            want = least if least == most else f"at least {least}"
            raise self.wrong(node, f"wrong number of args for {name}: want {want} got {count}")
        arguments = [self._operand(part, dot) for part in parts]
        try:
            return function(*arguments, *piped)
        except WrongArgument as error:
            blamed = parts[error.index] if error.index < len(parts) else command
            raise self.wrong(blamed, str(error)) from None
        except CallFailed as error:
            raise self.wrong(command, f"error calling {name}: {error}") from None

    def _logic(
        self, node: Node, parts: Sequence[Node], dot: object, piped: tuple[object, ...]
    ) -> object:
        """Give the first argument that decides `and` or `or`; the later ones are not looked at."""
        stop = node.value == "or"
        if not parts and not piped:
            raise self.wrong(node, f"wrong number of args for {node.value}: want at least 1 got 0")
        value: object = None
        for part in parts:
            value = self._operand(part, dot)
            if truth(value) == stop:
                return value
        return piped[0] if piped else value
