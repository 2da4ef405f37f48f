"""Two trees, configurations and sets of packages beside each other: what is new, gone or changed."""

from lamina.layer.entry import Kind
from lamina.layer.view import Tree
from lamina.study.lives import Aspect, differences
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lamina.layer.node import Node
    from lamina.spec.config import ImageConfig
    from lamina.study.packages import Package

__all__ = [
    "Difference",
    "PackageChange",
    "SettingChange",
    "compare",
    "packages",
    "settings",
    "steps",
]

_Pair = tuple[bytes, "Node | None", "Node | None"]
_Pile = tuple["Node", ...]
_LOOKUP = 8
"""How many names are listed while one is looked up."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One path that the trees do not have alike; a node is None where there is nothing."""

    path: bytes
    before: "Node | None"
    after: "Node | None"
    aspects: tuple[Aspect, ...] = ()

    @property
    def letter(self) -> str:
        """Give A for new, D for gone, C for changed, as docker does."""
        return "A" if self.before is None else "D" if self.after is None else "C"

    @property
    def grown(self) -> int:
        """Give by how many bytes of content the path grew."""
        return _size(self.after) - _size(self.before)


@dataclass(frozen=True, slots=True)
class PackageChange:
    """A package whose versions differ; empty where there is none."""

    kind: str
    name: str
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SettingChange:
    """One setting of the configuration: None where there is none."""

    name: str
    before: object
    after: object


def compare(before: Tree, after: Tree, *, times: bool = False) -> "Iterator[Difference]":
    """Give every path that is not alike in both, a directory before what is in it, sorted.

    Times count with `times` only: a build made again changes them all. Directories that are the same
    layers' in both are not looked into, and of those that are partly the same only what the other layers
    have is: images on one base cost what stands above it. Content is read where the sizes are the same. Raises: Corrupt.
    """
    stack: list[Iterator[_Pair]] = [iter([(b"", before.lookup(b""), after.lookup(b""))])]
    while stack:
        for path, old, new in stack[-1]:
            found = _difference(path, old, new, times=times)
            if found is not None:
                yield found
            if _is_directory(old) or _is_directory(new):
                piles = before.pile_of_directory(path), after.pile_of_directory(path)
                if not _is_same(*piles):
                    stack.append(_pairs(path, before, after, piles))
                    break
        else:
            stack.pop()


def _difference(
    path: bytes, old: "Node | None", new: "Node | None", *, times: bool
) -> Difference | None:
    if old is None or new is None:
        return Difference(path, old, new) if old is not new else None
    if (old.layer.path, old.nid) == (new.layer.path, new.nid):
        return None
    left_out = {Aspect.EMPTIED} if times else {Aspect.EMPTIED, Aspect.TIME}
    aspects = tuple(one for one in differences(old, new) if one not in left_out)
    return Difference(path, old, new, aspects) if aspects else None


def _pairs(
    path: bytes, before: Tree, after: Tree, piles: "tuple[_Pile, _Pile]"
) -> "Iterator[_Pair]":
    """Give each name in a directory of either tree with what both have there, but for some that are alike."""
    prefix = path + b"/" if path else b""
    if type(before) is type(after) is Tree and (nodes := _apart(*piles)):
        names = {name for node in nodes for name, _ in node.layer.listdir(node)}
        paths = [prefix + name for name in sorted(names)]
        return ((full, before.lookup(full), after.lookup(full)) for full in paths)
    old, new = dict(before.listdir(path)), dict(after.listdir(path))
    return iter([(prefix + name, old.get(name), new.get(name)) for name in sorted(old | new)])


def _apart(before: "_Pile", after: "_Pile") -> "_Pile":
    """Give the parts of two merged directories that only one has: no other name can differ.

    None where most is in those: then looking up each name costs more than listing all.
    """
    keys = [[(node.layer.path, node.nid) for node in pile] for pile in (before, after)]
    shortest = min(map(len, keys))
    first = next((n for n in range(shortest) if keys[0][n] != keys[1][n]), shortest)
    rest = shortest - first
    last = next((n for n in range(rest) if keys[0][-1 - n] != keys[1][-1 - n]), rest)
    apart = (*before[first : len(before) - last], *after[first : len(after) - last])
    shared = (*before[:first], *before[len(before) - last :])
    own, others = (sum(node.size for node in nodes) for nodes in (apart, shared))
    return apart if own * _LOOKUP < others else ()


def _is_same(before: "tuple[Node, ...]", after: "tuple[Node, ...]") -> bool:
    """Tell whether two directories are made of the same layers' parts."""
    keys = [[(node.layer.path, node.nid) for node in pile] for pile in (before, after)]
    return keys[0] == keys[1]


def _is_directory(node: "Node | None") -> bool:
    return node is not None and node.kind is Kind.DIRECTORY


def _size(node: "Node | None") -> int:
    return node.size if node is not None and node.kind is Kind.FILE else 0


def packages(before: "Iterable[Package]", after: "Iterable[Package]") -> tuple[PackageChange, ...]:
    """Give the packages of which the versions differ, by kind and name."""
    old, new = _versions(before), _versions(after)
    return tuple(
        PackageChange(*key, old.get(key, ()), new.get(key, ()))
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    )


def _versions(found: "Iterable[Package]") -> dict[tuple[str, str], tuple[str, ...]]:
    versions: dict[tuple[str, str], set[str]] = {}
    for one in found:
        versions.setdefault((one.kind, one.name), set()).add(one.version)
    return {key: tuple(sorted(rows)) for key, rows in versions.items()}


def settings(before: "ImageConfig", after: "ImageConfig") -> tuple[SettingChange, ...]:
    """Give the settings that differ: environment and labels by name, the platform, and the rest whole."""
    old, new = _flat(before), _flat(after)
    return tuple(
        SettingChange(name, old.get(name), new.get(name))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    )


def _flat(config: "ImageConfig") -> dict[str, object]:
    found: dict[str, object] = {
        name: config.document.get(name) for name in ("os", "architecture", "variant", "author")
    }
    for name, value in config.settings.items():
        if name == "Env" and isinstance(value, list):
            for row in value:
                variable, _, text = str(row).partition("=")
                found[f"Env {variable}"] = text
        elif name == "Labels" and isinstance(value, dict):
            found |= {f"Label {label}": text for label, text in value.items()}
        elif value:  # null, "", [] and a missing one mean the same
            found[name] = value
    return {name: value for name, value in found.items() if value is not None}


def steps(
    before: "ImageConfig", after: "ImageConfig"
) -> tuple[int, tuple[str, ...], tuple[str, ...]]:
    """Give how many steps of the histories are the same from the start, and the rest of each."""
    old, new = ([row.created_by or row.comment for row in one.history] for one in (before, after))
    same = next((n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), None)
    count = min(len(old), len(new)) if same is None else same
    return count, tuple(old[count:]), tuple(new[count:])
