"""What is found out about an image, as one document: kept with it, sent as JSON, drawn on its page.

Paths are texts with what is not UTF-8 as lone surrogates (`os.fsdecode`), so they lead back to the bytes.
Lists are cut where nobody reads on; beside each stands how many there are in all.
"""

import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

from lamina.errors import Invalid
from lamina.hub.exploring.notes import notes_of
from lamina.layer.entry import Kind
from lamina.layer.hollow import HollowLayer
from lamina.layer.view import Tree
from lamina.spec.config import ImageConfig
from lamina.spec.wire import Document
from lamina.study.caches import advice
from lamina.study.causes import Cause, Wasted
from lamina.study.drawing.treemap import treemap
from lamina.study.lives import Change, changes, life
from lamina.study.packages import packages
from lamina.study.parts import Part, Parting
from lamina.study.secrets import in_config
from lamina.study.waste import Waste, waste

__all__ = ["CURES", "SCHEMA", "answers_of"]

SCHEMA = 1
_WASTED, _SECRETS, _PACKAGES = 300, 500, 20_000
_DEPTH = 3
CURES = {
    Cause.DELETED: "remove them in the step that brings them: a later one only hides them",
    Cause.OVERWRITTEN: "write them once, in one step or in a stage before",
    Cause.COPIED: "set mode and owner in the step that brings them (COPY --chmod, --chown)",
    Cause.REPEATED: "do not bring them again: the layer below has them as they are",
    Cause.CACHE: "",
    Cause.DUPLICATE: "link them, or bring them once",
    Cause.ZEROS: "leave long runs of zeros as holes: they are stored and sent",
}
"""What would gain the bytes of each cause; of caches their manager says it."""


def answers_of(
    layers: Sequence[HollowLayer], config: ImageConfig, seen: Sequence[Sequence[tuple[str, str]]]
) -> Document:
    """Answer everything about a stack of layers, lowest first. Costs a few walks of their indexes.

    `seen` are the secrets of each layer: what it looks like, and its path.
    """
    found = waste(layers, deep=True)
    installed = packages(layers)
    secrets = _secrets(layers, config, seen)
    groups = _groups(found.files)
    return {
        "schema": SCHEMA,
        "layers": _layers(layers, config),
        "total": found.total,
        "visible": found.visible,
        "efficiency": round(found.efficiency, 4),
        "wasted": found.size,
        "causes": _causes(found.files),
        "waste": groups[:_WASTED],
        "waste_in_all": len(groups),
        "secrets": secrets[:_SECRETS],
        "secrets_in_all": len(secrets),
        "packages": [
            [one.kind, one.name, one.version, one.architecture, one.licence, one.number]
            for one in installed[:_PACKAGES]
        ],
        "packages_in_all": len(installed),
        "map": str(treemap(_parts(layers, found))) if found.visible else "",
    }


def _parts(layers: Sequence[HollowLayer], found: Waste) -> Part:
    """Add up what is seen by directories, with what of it is wasted."""
    parting = Parting(found.visible)
    wasted = {one.path: one.size for one in found.files if not one.hidden_by}
    known: set[tuple[str, int]] = set()
    for path, node in Tree.of(layers).walk():
        key = (node.layer.path, node.nid)
        if node.kind is Kind.FILE and node.size and key not in known:
            known.add(key)  # a file of several names is there once
            parting.file(path, node.size)
            if path in wasted:
                parting.wasted(path, wasted[path])
    return parting.whole()


def _layers(layers: Sequence[HollowLayer], config: ImageConfig) -> list[Document]:
    """Say of each layer what it has, and what it does to those below."""
    does: list[Counter[str]] = [Counter() for _ in layers]
    for _, events in changes(layers):
        for event in events:
            if event.before is not None:
                does[event.number - 1][event.change] += 1
    rows = []
    for number, layer in enumerate(layers):
        known = notes_of(layer)
        stated = config.diff_ids[number] if number < len(config.diff_ids) else ""
        counts = does[number]
        rows.append(
            {
                "diff_id": known.diff_id,
                "is_as_stated": known.diff_id == stated,
                "entries": layer.entries,
                "size": layer.content_size,
                "unpacked": known.size,
                "changed": counts[Change.CHANGED],
                "removed": counts[Change.REMOVED],
                "repeated": counts[Change.REPEATED],
            }
        )
    return rows


def _causes(files: Sequence[Wasted]) -> list[Document]:
    """Add up by cause, the most bytes first."""
    sums: dict[Cause, list[int]] = {}
    tools: dict[Cause, set[str]] = {}
    for one in files:
        row = sums.setdefault(one.cause, [0, 0])
        row[0] += 1
        row[1] += one.size
        if one.cause is Cause.CACHE:
            tools.setdefault(one.cause, set()).add(one.note.decode())
    return [
        {
            "cause": str(cause),
            "files": count,
            "size": size,
            "cure": CURES[cause] or "; ".join(sorted(filter(None, map(advice, tools[cause])))),
        }
        for cause, (count, size) in sorted(sums.items(), key=lambda item: -item[1][1])
    ]


def _groups(files: Sequence[Wasted]) -> list[Document]:
    """Put files of one cause in one layer below one directory together, the largest group first."""
    groups: dict[tuple[Any, ...], list[Any]] = {}
    for one in files:
        place = b"/".join(one.path.split(b"/")[:-1][:_DEPTH])
        row = groups.setdefault((one.cause, one.number, one.hidden_by, place), [0, 0, one.path])
        row[0] += 1
        row[1] += one.size
    rows = [
        {
            "cause": str(cause),
            "layer": number,
            "hidden_by": hidden_by,
            "path": os.fsdecode(path if count == 1 else place),
            "files": count,
            "size": size,
        }
        for (cause, number, hidden_by, place), (count, size, path) in groups.items()
    ]
    return sorted(rows, key=lambda row: (-row["size"], row["path"]))


def _secrets(
    layers: Sequence[HollowLayer], config: ImageConfig, seen: Sequence[Sequence[tuple[str, str]]]
) -> list[Document]:
    """Say what was seen in each layer's files, whether a later layer hides it, and in the configuration."""
    rows = []
    for number, found in enumerate(seen, 1):
        for what, path in found:
            later = (one.number for one in life(layers, os.fsencode(path)) if one.number > number)
            rows.append({"what": what, "path": path, "layer": number, "hidden_by": next(later, 0)})
    try:
        told = list(in_config(config))
    except (Invalid, TypeError, AttributeError):  # settings of a form that nobody writes
        told = []
    rows += [
        {"what": one.what, "path": os.fsdecode(one.path), "layer": 0, "hidden_by": 0}
        for one in told
    ]
    return rows
