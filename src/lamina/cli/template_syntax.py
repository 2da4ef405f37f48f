"""Go's text/template read into a tree: the words between `{{` and `}}`, and what they make.

Positions count bytes from 0 as Go's messages do. Grammar: pkg.go.dev/text/template.
"""

from __future__ import annotations

import re

from lamina.errors import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Node", "TemplateInvalid", "TemplateUnreadable", "parse_template"]

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
    |(?P<string>"(?:\\.|[^"\\\n])*")
    |(?P<raw>`[^`]*`)
    |(?P<char>'(?:\\.[0-9a-fA-F]*|[^'\\\n])')
    |(?P<number>[+-]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+
        |(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9]+)?)(?![0-9A-Za-z_]))
    |(?P<field>\.[^\W\d]\w*)
    |(?P<dot>\.)
    |(?P<variable>\$\w*)
    |(?P<word>[^\W\d]\w*)
    |(?P<sign>:=|[=|(),])""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_BLANK = " \t\r\n"
_CONSTANTS = {"true": True, "false": False}
_LITERALS = frozenset(("string", "raw", "char", "number"))
_CLOSING = frozenset(("end", "else"))


class TemplateInvalid(Invalid):
    """A template cannot be read, or cannot be applied to what it is given."""


class TemplateUnreadable(TemplateInvalid):
    """A template cannot be read. Of documents docker exits with 64 then, of listings with 1."""

    exit_code = 64


class Node:
    """One piece of a template.

    `kind` says which: text, pipe, if, with, range, template, break, continue (statements);
    command, field, chain, variable, dot, nil, literal, function (parts of a pipe). `value` is the
    text, name, literal or names; `parts` the pieces it is made of; `body` and `other` what an
    `if`, `with` or `range` holds; `source` its own words, for messages.
    """

    __slots__ = ("body", "kind", "names", "other", "parts", "position", "source", "value")

    def __init__(self, kind: str, position: int, value: object = None) -> None:
        self.kind = kind
        self.position = position
        self.value = value
        self.names: tuple[str, ...] = ()
        self.parts: list[Node] = []
        self.body: list[Node] = []
        self.other: list[Node] = []
        self.source = ""


class _Token:
    __slots__ = ("end", "kind", "position", "spaced", "text")

    def __init__(self, kind: str, text: str, position: int, spaced: bool) -> None:
        self.kind = kind
        self.text = text
        self.position = position
        self.end = position + len(text)
        self.spaced = spaced


def parse_template(
    text: str, functions: frozenset[str]
) -> tuple[list[Node], dict[str, list[Node]]]:
    """Read `text` into its statements and the templates it defines.

    Raises: TemplateUnreadable, worded as Docker's.
    """
    parser = _Parser(text, functions)
    body, closing = parser.statements(top=True)
    if closing is not None:
        raise parser.wrong(closing.position, f"unexpected {{{{{closing.text}}}}}")
    return body, parser.defined


class _Parser:
    def __init__(self, text: str, functions: frozenset[str]) -> None:
        self.text = text
        self.at = 0
        self.tokens: list[_Token] = []
        self.next = 0
        self.functions = functions
        self.variables = ["$"]
        self.defined: dict[str, list[Node]] = {}
        self.loops = 0
        self._trim = False
        self._statements: dict[str, Callable[[_Token], Node | None]] = {
            "if": self._branch,
            "with": self._branch,
            "range": self._branch,
            "define": self._define,
            "block": self._block,
            "template": self._template,
            "break": self._leave,
            "continue": self._leave,
        }

    def wrong(self, position: int, message: str) -> TemplateUnreadable:
        line = self.text.count("\n", 0, position) + 1
        return TemplateUnreadable(f"template parsing error: template: :{line}: {message}")

    def statements(self, *, top: bool = False) -> tuple[list[Node], _Token | None]:
        """Read up to `{{end}}` or `{{else …}}`, which is given back; None at the end of text."""
        nodes: list[Node] = []
        known = len(self.variables)
        while True:
            text = self._text()
            if text.value:
                nodes.append(text)
            if self.at >= len(self.text):
                if not top:
                    raise self.wrong(self.at, "unexpected EOF")
                return nodes, None
            if not self._action():
                continue
            word = self.tokens[self.next]
            if word.kind == "word" and word.text in _CLOSING:
                self.next += 1
                del self.variables[known:]
                return nodes, word
            statement = self._statement(word)
            if statement is not None:
                nodes.append(statement)

    def _text(self) -> Node:
        """Take the text before the next action, trimmed where a marker asks for it."""
        start = self.at
        end = self.text.find("{{", start)
        end = len(self.text) if end < 0 else end
        value = self.text[start:end]
        self.at = end
        if self._trim:
            value = value.lstrip(_BLANK)
        if self.text[end + 2 : end + 3] == "-" and self.text[end + 3 : end + 4] in _BLANK:
            value = value.rstrip(_BLANK)
        return Node("text", start, value)

    def _action(self) -> bool:
        """Cut one `{{…}}` into tokens; False for a comment."""
        start = self.at
        self.at += 2
        if self.text[self.at : self.at + 1] == "-" and self.text[self.at + 1 : self.at + 2] in (
            *_BLANK,
        ):
            self.at += 2
        if self._comment(start):
            return False
        self.tokens, self.next = [], 0
        spaced = False
        while not self._closes(spaced):
            match = _TOKEN.match(self.text, self.at)
            if match is None:
                raise self._unreadable(start)
            kind = match.lastgroup or ""
            if kind != "space":
                self.tokens.append(_Token(kind, match.group(), self.at, spaced))
            spaced = kind == "space"
            self.at = match.end()
        if not self.tokens:
            raise self.wrong(start, "missing value for command")
        return True

    def _comment(self, start: int) -> bool:
        rest = self.text[self.at :].lstrip(_BLANK)
        if not rest.startswith("/*"):
            return False
        match = re.compile(r"\s*/\*.*?\*/(\s-)?}}", re.DOTALL).match(self.text, self.at)
        if match is None:
            raise self.wrong(start, "unclosed comment")
        self._trim = bool(match.group(1))
        self.at = match.end()
        return True

    def _closes(self, spaced: bool) -> bool:
        if self.text.startswith("}}", self.at):
            self._trim = False
            self.at += 2
            return True
        if spaced and self.text.startswith("-}}", self.at):
            self._trim = True
            self.at += 3
            return True
        return False

    def _unreadable(self, start: int) -> TemplateUnreadable:
        if self.at >= len(self.text) or self.text.startswith("{{", self.at):
            return self.wrong(start, "unclosed action")
        letter = self.text[self.at]
        if letter in "\"`'":
            names = {'"': "quoted string", "`": "raw quoted string", "'": "character constant"}
            return self.wrong(self.at, f"unterminated {names[letter]}")
        if letter in "0123456789+-":
            word = re.compile(r"[\w.+-]*").match(self.text, self.at)
            return self.wrong(self.at, f'bad number syntax: "{word.group() if word else letter}"')
        return self.wrong(self.at, f"unexpected {_quoted(letter)} in command")

    def _statement(self, word: _Token) -> Node | None:
        reader = self._statements.get(word.text) if word.kind == "word" else None
        if reader is not None:
            self.next += 1
            return reader(word)
        return self._pipe("command")

    def _branch(self, word: _Token) -> Node:
        """Read `if`, `with` or `range` with all that belongs to it."""
        node = Node(word.text, word.position)
        known = len(self.variables)
        node.parts = [self._pipe(word.text)]
        loop = word.text == "range"
        self.loops += loop
        node.body, closing = self.statements()
        self.loops -= loop
        assert closing is not None  # noqa: S101 - the end of text was refused inside
        if closing.text == "else":
            follower = self._peek()
            if follower is not None and follower.text in ("if", "with") and not loop:
                self.next += 1
                node.other = [self._branch(follower)]
            else:
                self._nothing_left("else")
                node.other, last = self.statements()
                if last is None or last.text == "else":
                    raise self.wrong(closing.position, "expected end; found {{else}}")
        del self.variables[known:]
        return node

    def _define(self, word: _Token) -> None:
        name = self._name(word)
        body, closing = self.statements()
        if closing is None or closing.text != "end":
            raise self.wrong(word.position, "unexpected {{else}} in define clause")
        self.defined[name] = body

    def _block(self, word: _Token) -> Node:
        node = Node("template", word.position, self._name(word))
        node.parts = [self._pipe("block")]
        body, _ = self.statements()
        self.defined[str(node.value)] = body
        return node

    def _template(self, word: _Token) -> Node:
        node = Node("template", self.tokens[self.next].position if self._peek() else word.position)
        node.value = self._name(word)
        node.source = self.text[word.position - 2 : self.at]
        node.parts = [self._pipe("template")] if self._peek() is not None else []
        return node

    def _name(self, word: _Token) -> str:
        token = self._peek()
        if token is None or token.kind not in ("string", "raw"):
            raise self.wrong(word.position, f"unexpected clause in {word.text}: a name is missing")
        self.next += 1
        return self._unquote(token)

    def _leave(self, word: _Token) -> Node:
        if not self.loops:
            raise self.wrong(word.position, f"{{{{{word.text}}}}} outside {{{{range}}}}")
        self._nothing_left(word.text)
        return Node(word.text, word.position)

    def _nothing_left(self, context: str) -> None:
        token = self._peek()
        if token is not None:
            raise self.wrong(token.position, f"unexpected <{token.text}> in {context}")

    def _peek(self) -> _Token | None:
        return self.tokens[self.next] if self.next < len(self.tokens) else None

    def _pipe(self, context: str, *, nested: bool = False) -> Node:
        """Read `$x := command | command`, up to the end of the action or a `)`."""
        first = self._peek()
        node = Node("pipe", first.position if first else self.at)
        self._declarations(node, context)
        while True:
            node.parts.append(self._command(context))
            token = self._peek()
            if token is None or (nested and token.text == ")"):
                break
            if token.text == ")":
                raise self.wrong(token.position, "unexpected right paren")
            if token.text != "|":
                raise self.wrong(token.position, f"unexpected <{token.text}> in {context}")
            self.next += 1
        self._check_stages(node)
        if node.names:
            self.variables.extend(node.names if node.value == ":=" else ())
        last = self.tokens[self.next - 1]
        node.source = self.text[node.position : last.end]
        return node

    def _declarations(self, node: Node, context: str) -> None:
        """Take `$x :=`, `$x =` or, after range, `$i, $e :=` where they stand."""
        names = []
        at = self.next
        while at < len(self.tokens) and self.tokens[at].kind == "variable":
            names.append(self.tokens[at].text)
            sign = self.tokens[at + 1].text if at + 1 < len(self.tokens) else ""
            if sign == "," and context == "range" and len(names) == 1:
                at += 2
                continue
            if sign in (":=", "="):
                if sign == "=":
                    for name in names:
                        self._known(name, self.tokens[at].position)
                node.names, node.value = tuple(names), sign
                self.next = at + 2
            return

    def _check_stages(self, node: Node) -> None:
        for stage, command in enumerate(node.parts[1:], start=2):
            if command.parts[0].kind in ("literal", "dot", "nil"):
                raise self.wrong(
                    command.position, f"non executable command in pipeline stage {stage}"
                )

    def _command(self, context: str) -> Node:
        first = self._peek()
        node = Node("command", first.position if first else self.at)
        while True:
            token = self._peek()
            if token is None or token.text in ("|", ")"):
                break
            node.parts.append(self._operand(token))
        if not node.parts:
            raise self.wrong(node.position, f"missing value for {context}")
        node.source = self.text[node.position : self.tokens[self.next - 1].end]
        return node

    def _operand(self, token: _Token) -> Node:
        self.next += 1
        node = self._term(token)
        names = []
        while (field := self._peek()) is not None and field.kind == "field" and not field.spaced:
            names.append(field.text[1:])
            self.next += 1
        if field is not None and field.kind == "dot" and not field.spaced:
            raise self.wrong(field.position, "unexpected <.> in operand")
        if names:
            node = self._chain(node, tuple(names), token)
        node.source = self.text[token.position : self.tokens[self.next - 1].end]
        return node

    def _chain(self, node: Node, names: tuple[str, ...], token: _Token) -> Node:
        if node.kind in ("field", "variable"):
            node.names += names
            return node
        if node.kind in ("literal", "nil", "dot"):
            raise self.wrong(token.position, f"unexpected . after term {_quoted(token.text)}")
        chain = Node("chain", token.position)
        chain.parts, chain.names = [node], names
        return chain

    def _term(self, token: _Token) -> Node:
        kind, text = token.kind, token.text
        if kind == "word":
            return self._word(token)
        if text == "(":
            return self._parenthesis(token)
        if kind in _LITERALS:
            return Node("literal", token.position, self._literal(token))
        node = Node(kind, token.position, text)
        if kind == "field":
            node.names = (text[1:],)
        elif kind == "variable":
            self._known(text, token.position)
        elif kind != "dot":
            raise self.wrong(token.position, f"unexpected <{text}> in operand")
        return node

    def _literal(self, token: _Token) -> object:
        if token.kind == "number":
            return self._number(token)
        text = self._unquote(token)
        return ord(text) if token.kind == "char" else text

    def _word(self, token: _Token) -> Node:
        if token.text in _CONSTANTS:
            return Node("literal", token.position, _CONSTANTS[token.text])
        if token.text == "nil":
            return Node("nil", token.position)
        if token.text not in self.functions:
            raise self.wrong(token.position, f"function {_quoted(token.text)} not defined")
        return Node("function", token.position, token.text)

    def _parenthesis(self, token: _Token) -> Node:
        pipe = self._pipe("parenthesized pipeline", nested=True)
        closing = self._peek()
        if closing is None:
            raise self.wrong(token.position, "unclosed left paren")
        self.next += 1
        return pipe

    def _known(self, name: str, position: int) -> None:
        if name not in self.variables:
            raise self.wrong(position, f"undefined variable {_quoted(name)}")

    def _number(self, token: _Token) -> object:
        text = token.text.replace("_", "")
        try:
            sign = -1 if text.startswith("-") else 1
            digits = text.lstrip("+-")
            octal = len(digits) > 1 and digits.isdigit() and digits[0] == "0"
            return sign * int("0o" + digits if octal else digits, 0)
        except ValueError:
            pass
        try:
            return float(text)
        except ValueError:
            raise self.wrong(token.position, f"bad number syntax: {_quoted(token.text)}") from None

    def _unquote(self, token: _Token) -> str:
        if token.kind == "raw":
            return token.text[1:-1]
        try:
            return _ESCAPE.sub(_unescape, token.text[1:-1])
        except (ValueError, OverflowError):
            raise self.wrong(token.position, "invalid syntax") from None


_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))")


def _unescape(match: re.Match[str]) -> str:
    byte, short, long, octal, letter = match.groups()
    if letter is not None:
        if letter in _ESCAPES:
            return _ESCAPES[letter]
        if letter in "\\\"'":
            return str(letter)
        raise ValueError(letter)
    return chr(int(octal, 8) if octal else int(byte or short or long, 16))


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
