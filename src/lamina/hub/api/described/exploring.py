"""What is in images, in the description of the hub's interfaces. Pure."""

from lamina.hub.api.described.words import FLAG, NUMBER, TEXT, Answer, Operation, array, record
from lamina.spec.wire import Document

__all__ = ["OPERATIONS"]

_ERRORS = (400, 401, 403, 404, 429, 503)
_PATH: dict[str, Document] = {"path": TEXT}
_SHARE: Document = {"type": "number", "minimum": 0, "maximum": 1}
_ANY: Document = {}
_ANSWERS = record(
    {
        "schema": NUMBER,
        "layers": array(
            record(
                {
                    "diff_id": TEXT, "is_as_stated": FLAG, "entries": NUMBER, "size": NUMBER,
                    "unpacked": NUMBER, "changed": NUMBER, "removed": NUMBER, "repeated": NUMBER,
                }
            )
        ),
        "total": NUMBER, "visible": NUMBER, "efficiency": _SHARE, "wasted": NUMBER,
        "causes": array(record({"cause": TEXT, "files": NUMBER, "size": NUMBER, "cure": TEXT})),
        "waste": array(
            record(
                {
                    **_PATH, "cause": TEXT, "layer": NUMBER, "hidden_by": NUMBER, "files": NUMBER,
                    "size": NUMBER,
                },
                path_base64=TEXT,
            )
        ),
        "waste_in_all": NUMBER,
        "secrets": array(
            record({**_PATH, "what": TEXT, "layer": NUMBER, "hidden_by": NUMBER}, path_base64=TEXT)
        ),
        "secrets_in_all": NUMBER,
        "packages": array(array(_ANY)),
        "packages_in_all": NUMBER,
    }
)  # fmt: skip
_INSIDE = record(
    {"digest": TEXT, "platform": TEXT, "state": TEXT, "trouble": TEXT}, answers=_ANSWERS
)
_ENTRY = record(
    {
        **_PATH, "kind": TEXT, "mode": TEXT, "uid": NUMBER, "gid": NUMBER, "size": NUMBER,
        "layer": NUMBER, "mark": TEXT, "aspects": array(TEXT),
    },
    path_base64=TEXT,
)  # fmt: skip
_EVENT = record({"layer": NUMBER, "change": TEXT, "aspects": array(TEXT), "packages": array(TEXT)})
_HIT = record({**_PATH, "kind": TEXT, "size": NUMBER, "layer": NUMBER}, path_base64=TEXT)
_FILES: Document = {
    "oneOf": [
        record(
            {
                **_PATH, "life": array(_EVENT), "entries": array(_ENTRY), "entries_in_all": NUMBER,
            },
            path_base64=TEXT,
        ),
        record({"found": array(_HIT), "has_more": FLAG}),
    ]
}  # fmt: skip
_DIFF = record(
    {
        "files": array(
            record(
                {**_PATH, "change": TEXT, "grown": NUMBER, "aspects": array(TEXT)}, path_base64=TEXT
            )
        ),
        "has_more": FLAG,
        "packages": array(
            record({"kind": TEXT, "name": TEXT, "before": array(TEXT), "after": array(TEXT)})
        ),
    }
)
_OF = "/api/v1/repositories/{name}"
_PLATFORM: dict[str, Document] = {"platform": TEXT}

OPERATIONS = (
    Operation(
        "get", f"{_OF}/inside/{{image}}", "What was found in an image, and how far looking is",
        {200: Answer("What is known", _INSIDE)}, _ERRORS, "any", query=_PLATFORM,
    ),
    Operation(
        "get", f"{_OF}/files/{{image}}", "A directory of an image, the life of a path, or a search",
        {200: Answer("What is there", _FILES)}, _ERRORS, "any",
        query={**_PLATFORM, "path": TEXT, "layer": NUMBER, "page": NUMBER, "q": TEXT},
    ),
    Operation(
        "get", f"{_OF}/diff/{{image}}", "What changed from one image of a repository to another",
        {200: Answer("What is not alike", _DIFF)}, _ERRORS, "any",
        query={**_PLATFORM, "against": TEXT}, needed=("against",),
    ),
)  # fmt: skip
