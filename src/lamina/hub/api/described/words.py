"""The few words that routes are described in. Pure; a schema is JSON Schema 2020-12."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lamina.spec.wire import Document

__all__ = [
    "ANYTHING",
    "ERROR",
    "ERRORS",
    "FLAG",
    "JSON",
    "MOMENT",
    "NOTHING",
    "NUMBER",
    "PAGE",
    "ROLE",
    "TEXT",
    "Answer",
    "Operation",
    "array",
    "maybe",
    "one_of",
    "operation_document",
    "record",
    "wanted",
]

JSON = "application/json"
ANYTHING = "*/*"

TEXT: Document = {"type": "string"}
NUMBER: Document = {"type": "integer"}
FLAG: Document = {"type": "boolean"}
MOMENT: Document = {"type": "string", "format": "date-time"}
ERROR: Document = {"$ref": "#/components/schemas/Error"}
ERRORS: Document = {"$ref": "#/components/schemas/Errors"}
PAGE: Mapping[str, Document] = {"n": {"type": "integer", "minimum": 0}, "last": TEXT}


def one_of(*values: str) -> Document:
    """Give the schema of a choice."""
    return {"type": "string", "enum": list(values)}


ROLE = one_of("none", "read", "write", "admin")


def array(of: Document) -> Document:
    """Give the schema of a list."""
    return {"type": "array", "items": of}


def maybe(schema: Document) -> Document:
    """Give the schema of what may be null."""
    return {**schema, "type": [schema["type"], "null"]}


def record(always: Mapping[str, Document], /, **sometimes: Document) -> Document:
    """Give the schema of an object that we send: these fields and no others."""
    return {
        "type": "object",
        "properties": {**always, **sometimes},
        "required": list(always),
        "additionalProperties": False,
    }


def wanted(always: Mapping[str, Document], /, **sometimes: Document) -> Document:
    """Give the schema of an object that we are sent: these fields and no others."""
    document: Document = {
        "type": "object",
        "properties": {**always, **sometimes},
        "additionalProperties": False,
    }
    if always:
        document["required"] = list(always)
    return document


@dataclass(frozen=True, slots=True)
class Answer:
    """What comes under one status: the body's schema (None: no body), its type, and headers."""

    words: str
    schema: Document | None = None
    kind: str = JSON
    headers: tuple[str, ...] = ()


NOTHING = Answer("Done")


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path.

    `login`: `full` is a password or refresh token, `any` takes access tokens and short tokens, too, and
    nobody where the content is public; empty asks for none. `errors` are statuses with an error's document.
    """

    method: str
    path: str
    summary: str
    answers: Mapping[int, Answer]
    errors: tuple[int, ...] = ()
    login: str = ""
    query: Mapping[str, Document] = field(default_factory=dict)
    needed: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    body: Document | None = None
    body_kind: str = JSON
    is_body_needed: bool = True
    choices: Mapping[str, Document] = field(default_factory=dict)
    error: Document = field(default_factory=lambda: ERROR)

    @property
    def tag(self) -> str:
        """The area that documentation shows it in."""
        parts = self.path.strip("/").split("/")
        return parts[2] if parts[:2] == ["api", "v1"] else "registry" if parts[0] == "v2" else "hub"


_LOGINS: Mapping[str, list[Document]] = {
    "full": [{"password": []}, {"token": []}],
    "any": [{"password": []}, {"token": []}, {}],
}
_ERRORS = {
    400: "What was sent cannot be taken",
    401: "A login is needed, or the one that came is not right",
    403: "That is not for this login",
    404: "There is no such thing, or none this login may know of",
    405: "That cannot be done, or not now",
    409: "Something is in the way",
    413: "That is too large",
    416: "The range does not fit",
    429: "Too many wrong passwords",
    503: "The hub cannot do it now",
}


def operation_document(operation: Operation) -> Document:
    """Give an operation as OpenAPI has it."""
    names = [part[1:-1] for part in operation.path.split("/") if part.startswith("{")]
    parameters: list[Document] = [
        {"name": name, "in": "path", "required": True, "schema": operation.choices.get(name, TEXT)}
        for name in names
    ]
    parameters += [
        {"name": name, "in": "query", "required": name in operation.needed, "schema": schema}
        for name, schema in operation.query.items()
    ]
    parameters += [
        {"name": name, "in": "header", "required": False, "schema": TEXT}
        for name in operation.headers
    ]
    answers = {str(status): _answer(answer) for status, answer in operation.answers.items()}
    for status in operation.errors:
        answers[str(status)] = _answer(Answer(_ERRORS[status], operation.error))
    document: Document = {
        "summary": operation.summary,
        "tags": [operation.tag],
        "responses": answers,
    }
    if parameters:
        document["parameters"] = parameters
    if operation.login:
        document["security"] = _LOGINS[operation.login]
    if operation.body is not None:
        content = {operation.body_kind: {"schema": operation.body}}
        document["requestBody"] = {"required": operation.is_body_needed, "content": content}
    return document


def _answer(answer: Answer) -> Document:
    document: Document = {"description": answer.words}
    if answer.schema is not None:
        document["content"] = {answer.kind: {"schema": answer.schema}}
    if answer.headers:
        document["headers"] = {name: {"schema": TEXT, "required": True} for name in answer.headers}
    return document
