"""Everything about an image in one value: its documents' facts, and what each layer does and costs."""

from heapq import heappush, heappushpop

from lamina.errors import Invalid
from lamina.layer.entry import Kind
from lamina.layer.listing import FORMS
from lamina.layer.sealed import SealedLayer
from lamina.layer.view import Tree
from lamina.spec.digest import chain_id
from lamina.study.instructions import instruction
from lamina.study.lives import Change, sweep
from lamina.study.packages import packages
from lamina.study.parts import Parting
from lamina.study.places import places_in
from lamina.study.regrets import Looking
from lamina.study.secrets import in_config, of_looks
from lamina.study.waste import Hiding, summed
from lamina.values import Protocol, dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lamina.layer.node import CountedLayer, Node
    from lamina.spec.config import History, ImageConfig
    from lamina.spec.digest import Digest
    from lamina.spec.manifest import Manifest
    from lamina.study.lives import Event
    from lamina.study.packages import Package
    from lamina.study.parts import Part
    from lamina.study.runs import Run
    from lamina.study.secrets import Secret
    from lamina.study.waste import Waste

__all__ = [
    "Exploration",
    "ExploredLayer",
    "Large",
    "Rows",
    "Step",
    "Tally",
    "explore",
    "explored_steps",
]

_LARGEST = 100
_FILE = FORMS[Kind.FILE]
_SIZE, _LINKS = 4, 11


@dataclass(frozen=True, slots=True)
class Tally:
    """A number of paths, and the bytes of the files among them."""

    count: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One row of the history: `number` from 1, `layer` the number of the one it made, 0 for none.

    `instruction` is its command as the Dockerfile had it, or else its comment; maybe empty.
    """

    number: int
    layer: int
    created: str
    created_by: str
    author: str
    comment: str
    instruction: str


@dataclass(frozen=True, slots=True)
class Large:
    """A file that is seen, in the layer whose it is."""

    path: bytes
    size: int
    number: int


@dataclass(frozen=True, slots=True)
class ExploredLayer:
    """One layer: `number` from 1 at the bottom.

    `compressed_size` is what is sent, `tar_size` the tar's bytes, `size` the files' content.
    The tallies are of what it does to the layers below: what it `added`, `changed`, had just as it was
    (`repeated`) and `removed`. `wasted` bytes of it are for nothing; it hides `hidden` bytes of lower ones.
    `lost` says what is wrong with it, if anything is.
    """

    number: int
    digest: "Digest"
    diff_id: "Digest"
    chain_id: "Digest"
    media_type: str
    compressed_size: int
    tar_size: int
    size: int
    step: Step
    added: Tally
    changed: Tally
    repeated: Tally
    removed: Tally
    wasted: int
    hidden: int
    root: "Part"
    lost: str = ""


class Rows(Protocol):
    """Who hears of each path while an image is explored, in the order of `lives`."""

    def path(self, path: bytes, events: "Sequence[Event]") -> None:
        """Take the story of one path."""

    def run(self, run: "Run") -> None:
        """Take paths that one layer alone has."""


@dataclass(frozen=True, slots=True)
class Exploration:
    """All of it. `layers` are lowest first, `steps` oldest first, `largest` the largest files seen."""

    name: str
    manifest: "Manifest"
    config: "ImageConfig"
    steps: tuple[Step, ...]
    layers: tuple[ExploredLayer, ...]
    waste: "Waste"
    packages: "tuple[Package, ...]"
    secrets: "tuple[Secret, ...]"
    largest: tuple[Large, ...]

    @property
    def size(self) -> int:
        """The bytes of all layers' files."""
        return self.waste.total

    @property
    def compressed_size(self) -> int:
        """The bytes of all layers as they are sent."""
        return sum(layer.compressed_size for layer in self.layers)

    def _repr_html_(self) -> str:
        """Draw the image for a notebook: its stack, sizes and waste."""
        from lamina.study.drawing.card import card
        from lamina.study.drawing.page import floors

        notes = [str(self.config.platform), f"{len(self.packages):,} packages"]
        if self.secrets:
            notes.append(f"secrets: {len(self.secrets):,}")
        hidden = self.waste.total - self.waste.visible
        return card(self.name, floors(self, linked=False), notes=notes, hidden=hidden)

    @property
    def made(self) -> tuple[str, ...]:
        """The instruction of each layer."""
        return tuple(layer.step.instruction for layer in self.layers)


def explore(
    layers: "Sequence[CountedLayer]",
    config: "ImageConfig",
    manifest: "Manifest",
    *,
    name: str,
    deep: bool = False,
    secrets: "tuple[Secret, ...] | None" = None,
    lost: "Mapping[int, str] | None" = None,
    rows: "Rows | None" = None,
) -> Exploration:
    """Find out everything about an image whose `layers` (lowest first) are open.

    Costs a walk of every index, and reads small texts and what two layers have of one size; with
    `deep`, most of the image. Memory does not grow with the number of files, but with that of wasted
    ones. `secrets` are looked for unless they are given: layers that are here without their content do
    not tell. `rows` hears of each path meanwhile. `lost` says of some layers, by their numbers, what is wrong: `cannot be read: …`. Raises: Corrupt, Invalid (manifest and configuration are not of one image).
    """
    if not len(layers) == len(manifest.layers) == len(config.diff_ids):
        raise Invalid(
            f"{name}: the manifest has {len(manifest.layers)} layers, the configuration {len(config.diff_ids)}",
            hint="this may be an artifact, not an image",
        )
    looking = _Looking(layers)
    looks = [Looking() for _ in layers] if secrets is None else []
    for item in sweep(layers):
        if isinstance(item, tuple):
            looking.path(*item)
            for event in item[1] if looks else ():
                if event.node is not None:
                    looks[event.number - 1].file(item[0], event.node)
            if rows is not None:
                rows.path(*item)
        else:
            looking.run(item)
            if looks:
                looks[item.number - 1].run(item)
            if rows is not None:
                rows.run(item)
    places = tuple(places_in(Tree.of(layers)))
    found = summed(layers, looking.hiding, deep=deep, places=places)
    wasted = [0] * (len(layers) + 1)
    hidden = [0] * (len(layers) + 1)
    for one in found.files:
        wasted[one.number] += one.size
        hidden[one.hidden_by] += one.size
    steps = explored_steps(config)
    made = [step for step in steps if step.layer]
    explored = [
        ExploredLayer(
            number=number,
            digest=blob.digest,
            diff_id=config.diff_ids[number - 1],
            chain_id=chain_id(config.diff_ids[:number]),
            media_type=blob.media_type,
            compressed_size=blob.size,
            tar_size=layer.tar_size if isinstance(layer, SealedLayer) else 0,
            size=layer.content_size,
            step=step,
            added=looking.tally(number, Change.ADDED),
            changed=looking.tally(number, Change.CHANGED),
            repeated=looking.tally(number, Change.REPEATED),
            removed=looking.tally(number, Change.REMOVED),
            wasted=wasted[number],
            hidden=hidden[number],
            root=looking.parts[number - 1].whole(),
            lost=(lost or {}).get(number, ""),
        )
        for number, (layer, blob, step) in enumerate(
            zip(layers, manifest.layers, made, strict=True), 1
        )
    ]
    return Exploration(
        name=name,
        manifest=manifest,
        config=config,
        steps=steps,
        layers=tuple(explored),
        waste=found,
        packages=packages(layers, folders=[folder for folder, _ in places]),
        secrets=(*of_looks(layers, looks), *in_config(config)) if secrets is None else secrets,
        largest=looking.largest(),
    )


def explored_steps(config: "ImageConfig") -> tuple[Step, ...]:
    """Give the rows of the history, oldest first, each with the number of the layer it made."""
    steps: list[Step] = []
    layer = 0
    for number, (row, diff_id) in enumerate(config.steps(), 1):
        layer += diff_id is not None
        steps.append(_step(number, layer if diff_id else 0, row))
    return tuple(steps)


def _step(number: int, layer: int, row: "History") -> Step:
    said = instruction(row.created_by) or instruction(row.comment)
    return Step(number, layer, row.created, row.created_by, row.author, row.comment, said)


class _Looking:
    """What one walk through the stories of all paths tells."""

    def __init__(self, layers: "Sequence[CountedLayer]") -> None:
        self.hiding = Hiding()
        self.parts = [Parting(layer.content_size) for layer in layers]
        self._sums: list[dict[Change, list[int]]] = [
            {change: [0, 0] for change in Change} for _ in layers
        ]
        self._linked: set[tuple[int, int]] = set()
        self._seen: set[tuple[int, int]] = set()
        self._largest: list[tuple[int, bytes, int]] = []
        self._least = 0  # what is not larger is none of them

    def path(self, path: bytes, events: "Sequence[Event]") -> None:
        if not path:  # the root is no layer's deed
            return
        for event in events:
            sums = self._sums[event.number - 1][event.change]
            sums[0] += 1
            node = event.node
            if node is None:
                before = event.before
                sums[1] += before.size if before is not None and before.kind is Kind.FILE else 0
            elif node.kind is Kind.FILE:
                sums[1] += self._file(path, node, event.number)
        if len(events) > 1:
            for one in self.hiding.path(path, events):
                self.parts[one.number - 1].wasted(path, one.size)
        if events:
            last = events[-1].node
            if last is not None and last.kind is Kind.FILE and last.size > self._least:
                self._visible(path, last, events[-1].number)

    def run(self, run: "Run") -> None:
        """Take note of paths that one layer has alone, as `path` would of each."""
        listed, number = run.listed, run.number
        self._sums[number - 1][Change.ADDED][0] += len(listed.names)
        at = [index for index, form in enumerate(listed.forms) if form == _FILE]
        if not at:
            return
        found = [listed.fields[index] for index in at]
        if max([fields[_LINKS] for fields in found]) > 1:
            self._linked_run(run)
            return
        sizes = [fields[_SIZE] for fields in found]
        names = [listed.names[index] for index in at]
        self._sums[number - 1][Change.ADDED][1] += sum(sizes)
        self.parts[number - 1].files(run.prefix, names, sizes)
        if max(sizes) > self._least:
            for name, size in zip(names, sizes, strict=True):
                if size > self._least:
                    self._keep(run.prefix + name, size, number)

    def _linked_run(self, run: "Run") -> None:
        """Take note of one in which files have several names."""
        sums = self._sums[run.number - 1][Change.ADDED]
        for path, node in run.nodes():
            if node.kind is Kind.FILE:
                sums[1] += self._file(path, node, run.number)
                if node.size > self._least:
                    self._visible(path, node, run.number)

    def _file(self, path: bytes, node: "Node", number: int) -> int:
        """Give the bytes that a file adds to its layer: with its first name, all of them."""
        size = node.size
        if node.nlink > 1:
            key = (number, node.nid)
            if key in self._linked:
                return 0
            self._linked.add(key)
        self.parts[number - 1].file(path, size)
        return size

    def _visible(self, path: bytes, node: "Node", number: int) -> None:
        """Keep one of the largest files, under the first of its names."""
        if node.nlink > 1:
            key = (number, node.nid)
            if key in self._seen:
                return
            self._seen.add(key)
        self._keep(path, node.size, number)

    def _keep(self, path: bytes, size: int, number: int) -> None:
        row = (size, path, number)
        if len(self._largest) < _LARGEST:
            heappush(self._largest, row)
        else:
            heappushpop(self._largest, row)
        if len(self._largest) == _LARGEST:
            self._least = self._largest[0][0]

    def tally(self, number: int, change: Change) -> Tally:
        return Tally(*self._sums[number - 1][change])

    def largest(self) -> tuple[Large, ...]:
        rows = sorted(self._largest, key=lambda row: (-row[0], row[1]))
        return tuple(Large(path, size, number) for size, path, number in rows if size)
