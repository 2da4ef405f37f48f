"""Check the whole store: every byte against its digest, every image for all its parts.

Nothing is changed here; `engine.mend` puts right what can be. Safe beside any other command: what
somebody removes or brings meanwhile is looked at again before it is called a problem.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

from lamina.engine.derived import derived
from lamina.engine.findings import Finding, Health, Part, Pile, Report, Shape
from lamina.engine.removal import torn
from lamina.errors import Corrupt, Invalid, LaminaError, NotFound
from lamina.spec.config import CONFIG_LIMIT, ImageConfig
from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.digest import Digest, chain_id
from lamina.spec.manifest import Index, parse_manifest
from lamina.store.disk import OURS
from lamina.stream.verify import Hasher, chunks
from lamina.values import dataclass, field, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.engine.engine import Engine
    from lamina.store.names import Named

__all__ = ["check"]

_PIECE = 1024 * 1024


@dataclass(slots=True)
class _Needs:
    """What the images need: who needs each blob and each layer, and what is not there."""

    blobs: dict[Digest, tuple[Descriptor, set[str]]] = field(default_factory=dict)
    piles: dict[Pile, set[str]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    images: int = 0

    def blob(self, wanted: Descriptor, image: str) -> None:
        self.blobs.setdefault(wanted.digest, (wanted, set()))[1].add(image)

    def users(self, digest: Digest) -> tuple[str, ...]:
        found = self.blobs.get(digest)
        return tuple(sorted(found[1])) if found else ()


def check(engine: "Engine", *, told: Callable[[int, int], None] | None = None) -> Report:
    """Look at everything: cost is one read of every blob and layer, on all processors.

    `told(done, total)` is called with bytes now and then, from any thread but from one at a time.
    Raises: OSError (the disk cannot be read), Denied.
    """
    with engine.store.lease():
        return _Check(engine, told or (lambda _done, _total: None)).run()


class _Check:
    def __init__(self, engine: "Engine", told: Callable[[int, int], None]) -> None:
        self._engine = engine
        self._told = told
        self._done = self._total = 0
        self._lock = Lock()

    def run(self) -> Report:
        engine = self._engine
        try:
            rows = engine.store.names.all()
        except Corrupt as error:
            broken = Finding(Shape.DAMAGED, Part.INDEX, "index.json", error.message)
            return Report((broken, *_foreign(engine)))
        needs = _needs(engine, rows)
        blobs = list(engine.store.blobs)
        layers = list(engine.layers.files())
        sizes = [_size(engine.store.blobs.path(digest)) for digest in blobs]
        self._total = sum(sizes) + sum(_size(path) for _, path in layers)
        piles = {_key(engine, pile): pile for pile in needs.piles}
        with ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="fsck") as pool:
            bad = pool.map(lambda digest: self._blob(digest, needs), blobs)
            worn = pool.map(lambda row: self._layer(row[0], row[1], needs, piles), layers)
            made = pool.map(lambda job: job(), derived(engine, needs.piles))
            found = [*needs.findings, *filter(None, bad), *filter(None, worn), *filter(None, made)]
        found += [*_absent(engine, needs), *_containers(engine), *_foreign(engine)]
        kept = _still_wanted(engine, found)
        return Report(_sorted(kept), needs.images, len(blobs), len(layers), self._total)

    def _progress(self, size: int) -> None:
        with self._lock:
            self._done += size
            self._told(self._done, self._total)

    def _blob(self, digest: Digest, needs: _Needs) -> Finding | None:
        """Hash one blob."""
        hasher = Hasher(digest.algorithm)
        try:
            with self._engine.store.blobs.open(digest) as file:
                for piece in chunks(file, _PIECE):
                    hasher.update(piece)
                    self._progress(len(piece))
        except NotFound:  # removed meanwhile
            return None
        except OSError as error:
            detail = f"cannot be read: {error.strerror}"
        else:
            if hasher.digest == digest:
                return None
            detail = f"{hasher.size} bytes that are not the ones it is named for"
        wanted = needs.blobs.get(digest)
        users = needs.users(digest)
        health = Health.BROKEN if users else Health.HARMLESS
        return Finding(
            Shape.DAMAGED, Part.BLOB, str(digest), detail, users, health,
            wanted=wanted[0] if wanted else None,
        )  # fmt: skip

    def _layer(
        self, digest: Digest, path: str, needs: _Needs, piles: dict[str, Pile]
    ) -> Finding | None:
        """Check one sealed layer: its index by its sums, its tar by the diff ID."""
        from lamina.layer.sealed import SealedLayer
        from lamina.snapshot.unsynced import settle

        try:
            with SealedLayer.open(path) as layer:
                if layer.diff_id != digest:
                    detail = f"holds {layer.diff_id}"
                else:
                    layer.verify(self._progress)
                    settle(path)
                    return None
        except FileNotFoundError:  # removed meanwhile
            return None
        except OSError as error:
            detail = f"cannot be read: {error.strerror}"
        except Corrupt as error:
            detail = error.message.partition(": ")[2]
        pile = piles.get(path, ())
        if not pile:  # one file for every pile that it tops
            pile = next((p for p in needs.piles if p[-1] == digest), ())
        users = tuple(
            sorted({name for p, names in needs.piles.items() if p[-1] == digest for name in names})
        )
        health = Health.BROKEN if pile else Health.HARMLESS
        return Finding(Shape.DAMAGED, Part.LAYER, str(digest), detail, users, health, pile)


def _needs(engine: "Engine", rows: "Iterable[Named]") -> _Needs:
    """Walk from every name to all it needs; note what is not there or cannot be read."""
    needs = _Needs()
    seen: set[tuple[Digest, str]] = set()
    for row in rows:
        shown = row.name or str(row.target.digest)
        if (row.target.digest, shown) not in seen:
            seen.add((row.target.digest, shown))
            needs.images += 1
            _manifest(engine, row.target, shown, needs, optional=False)
    for record in engine.containers.records():
        for pile in record.piles:
            needs.piles.setdefault(pile, set()).add(f"container {record.name}")
    for pile in list(needs.piles):
        for i in range(1, len(pile)):
            needs.piles.setdefault(pile[:i], set()).update(needs.piles[pile])
    needs.piles.pop((), None)
    return needs


def _manifest(
    engine: "Engine", target: Descriptor, image: str, needs: _Needs, *, optional: bool
) -> bool:
    """Follow a manifest or index; tell whether it is here. Children may be absent."""
    if optional and not engine.store.blobs.has(target.digest):
        return False
    needs.blob(target, image)
    raw = _document(engine, target, image, needs)
    if raw is None:
        return True
    try:
        manifest = parse_manifest(raw, target.media_type)
    except LaminaError as error:
        bad = Finding(Shape.DAMAGED, Part.BLOB, str(target.digest), error.message, (image,))
        needs.findings.append(bad)
        return True
    if isinstance(manifest, Index):
        here = [_manifest(engine, row, image, needs, optional=True) for row in manifest.manifests]
        if manifest.manifests and not any(here):
            detail = "none of the images it lists is here"
            gone = Finding(Shape.MISSING, Part.BLOB, str(target.digest), detail, (image,))
            needs.findings.append(gone)
        return True
    for layer in manifest.layers:
        needs.blob(layer, image)
    needs.blob(manifest.config, image)
    if manifest.config.media_type not in MediaType.CONFIGS:  # an artifact: it has no layers of ours
        return True
    raw = _document(engine, manifest.config, image, needs)
    if raw is not None:
        _config(raw, manifest.config, image, needs)
    return True


def _config(raw: bytes, wanted: Descriptor, image: str, needs: _Needs) -> None:
    try:
        pile = ImageConfig.from_json(raw).diff_ids
    except LaminaError as error:
        bad = Finding(Shape.DAMAGED, Part.BLOB, str(wanted.digest), error.message, (image,))
        needs.findings.append(bad)
        return
    needs.piles.setdefault(tuple(pile), set()).add(image)


def _document(engine: "Engine", wanted: Descriptor, image: str, needs: _Needs) -> bytes | None:
    """Read a document; what is damaged or missing is found by the walk over all blobs."""
    try:
        return engine.store.blobs.read(wanted.digest, limit=CONFIG_LIMIT)
    except (NotFound, Corrupt):
        return None
    except Invalid as error:
        large = Finding(Shape.DAMAGED, Part.BLOB, str(wanted.digest), error.message, (image,))
        needs.findings.append(large)
        return None


def _absent(engine: "Engine", needs: _Needs) -> Iterator[Finding]:
    """Give what an image needs and is not here."""
    for digest, (wanted, users) in needs.blobs.items():
        if not engine.store.blobs.has(digest):
            yield Finding(
                Shape.MISSING, Part.BLOB, str(digest), f"{wanted.size} bytes of {wanted.media_type}",
                tuple(sorted(users)), wanted=wanted,
            )  # fmt: skip
    adopted = _adopted(engine)
    for pile, names in needs.piles.items():
        mine = tuple(sorted(names & adopted))
        if mine and engine.layers.find(pile) is None:
            yield Finding(
                Shape.MISSING, Part.LAYER, str(pile[-1]), "not sealed here", mine, pile=pile
            )


def _adopted(engine: "Engine") -> set[str]:
    """Name the images whose layers must be sealed; another tool's are when first used."""
    from lamina.engine.naming import LAYER_SIZES

    rows = engine.store.names.all()
    names = {row.name or str(row.target.digest) for row in rows if LAYER_SIZES in row.facts}
    return names | {f"container {record.name}" for record in engine.containers.records()}


def _containers(engine: "Engine") -> Iterator[Finding]:
    """Give containers without their writable layer."""
    for record in engine.containers.records():
        # In this order: what is made has its layer before its record, what is removed loses it after.
        if engine.snapshotter.has(record.id):
            continue
        if engine.containers.files.load(record.id) is not None:
            detail = f"container {record.name} has lost its writable layer"
            yield Finding(Shape.MISSING, Part.CONTAINER, record.id, detail)
    for key, state in engine.snapshotter.frozen.missing():
        found = engine.containers.files.load(key)
        if found is not None:
            detail = f"container {found.name} has lost the frozen state {state} of its files"
            yield Finding(Shape.MISSING, Part.CONTAINER, key, detail)


def _foreign(engine: "Engine") -> Iterator[Finding]:
    """Give files that are no blob and no layer, and what interrupted work left behind."""
    root = engine.store.root
    places = [("", 0), ("layers/chain", 64), ("layers/merged", 64)]
    places += [
        (f"{kind}/{algorithm}", length)
        for kind in ("blobs", "layers")
        for algorithm, length in (("sha256", 64), ("sha512", 128))
    ]
    for folder, length in places:
        path = f"{root}/{folder}"
        for name in sorted(os.listdir(path)) if os.path.isdir(path) else ():
            known = name in OURS if not folder else _is_hex(name, length)
            if not known:
                yield _harmless(Shape.FOREIGN, f"{folder}/{name}".lstrip("/"), "not ours")
    for container in torn(engine):
        detail = "a container whose making or removal was cut short; `container prune` sweeps it"
        yield _harmless(Shape.LEFT_OVER, f"containers/{container}", detail)
    for state in engine.snapshotter.frozen.unused():
        detail = "a frozen state that no container goes on from; `container prune` sweeps it"
        yield _harmless(Shape.LEFT_OVER, f"snapshots/frozen/{state}", detail)
    for partial in engine.store.blobs.partials():
        if not partial.busy:
            detail = f"{partial.size} bytes of an interrupted download; the next pull goes on there"
            yield _harmless(Shape.LEFT_OVER, f"uploads/{partial.key}", detail)


def _is_hex(name: str, length: int) -> bool:
    return len(name) == length and not name.strip("0123456789abcdef")


def _harmless(shape: Shape, subject: str, detail: str) -> Finding:
    return Finding(shape, Part.FILE, subject, detail, health=Health.HARMLESS)


def _still_wanted(engine: "Engine", found: list[Finding]) -> list[Finding]:
    """Leave out what somebody removed while we looked, images by name, or brought again since."""
    names = {row.name or str(row.target.digest) for row in engine.store.names.all()}
    names |= {f"container {record.name}" for record in engine.containers.records()}
    kept = []
    for finding in found:
        users = tuple(name for name in finding.images if name in names)
        if finding.images and not users:
            continue
        is_missing = finding.shape is Shape.MISSING and finding.part is Part.BLOB
        if is_missing and finding.wanted and engine.store.blobs.has(finding.wanted.digest):
            continue
        kept.append(replace(finding, images=users))
    return kept


def _sorted(found: list[Finding]) -> tuple[Finding, ...]:
    unique = {(f.shape, f.part, f.subject, f.pile): f for f in reversed(found)}
    order = list(Health)
    return tuple(
        sorted(
            unique.values(), key=lambda f: (order.index(f.health), f.part, f.subject, len(f.pile))
        )
    )


def _key(engine: "Engine", pile: Pile) -> str:
    """Give the file that only this pile uses, whether it is there or not."""
    return f"{engine.layers.root}/layers/chain/{pile[-1].hex}/{chain_id(pile).hex}"


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0
