"""Manifests as the conformance tests push them."""

import json
from typing import Any

from tests.hub.clients import INDEX, MANIFEST, Client, digest, document

__all__ = ["artifact", "child", "index", "pages", "pointer"]

EMPTY = "application/vnd.oci.empty.v1+json"


def artifact(client: Client, repository: str, **fields: object) -> bytes:
    """An artifact's manifest, not pushed yet, its one blob pushed; `fields` win."""
    empty = client.descriptor(repository, EMPTY, b"{}")
    return document(
        {"schemaVersion": 2, "mediaType": MANIFEST, "config": empty, "layers": [empty], **fields}
    )


def index(*children: bytes, **fields: object) -> bytes:
    rows = [child(raw) for raw in children]
    return document({"schemaVersion": 2, "mediaType": INDEX, "manifests": rows, **fields})


def child(raw: bytes) -> dict[str, object]:
    """The descriptor of a manifest."""
    kind = json.loads(raw).get("mediaType", MANIFEST)
    return {"mediaType": kind, "digest": digest(raw), "size": len(raw)}


def pointer(named: str) -> dict[str, object]:
    """A subject by its digest."""
    return {"mediaType": MANIFEST, "digest": named, "size": 1}


def pages(client: Client, path: str, field: str) -> list[list[Any]]:
    """The pages of a list, by their Link headers."""
    found = []
    while path:
        answer = client.get(path)
        assert answer.status == 200, answer
        found.append(answer.json[field])
        link = answer.headers.get("link", "")
        assert not link or link.endswith('>; rel="next"')
        path = link[1:].partition(">")[0]
    return found
