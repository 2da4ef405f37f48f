"""Put right what a check found: from what is here, else from where it came.

A sealed layer is made again from its own tar where that is whole, else from its blob; a blob is
fetched again from the registry of an image that needs it. Nothing is removed: what is damaged is
replaced by its verified twin in one rename, and stays as it is where there is none.
"""

from collections.abc import Callable, Iterator

from lamina.engine.derived import discard
from lamina.engine.findings import Finding, Health, Part, Report
from lamina.engine.fsck import check
from lamina.errors import LaminaError, NotFound
from lamina.spec.descriptor import MediaType
from lamina.spec.digest import Digest
from lamina.spec.reference import Reference
from lamina.stream.codec import decompressed
from lamina.stream.verify import VerifyingReader, chunks
from lamina.values import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.engine.engine import Engine
    from lamina.remote.repository import Repository
    from lamina.spec.descriptor import Descriptor

__all__ = ["mend", "remake"]

_DOCUMENTS = (*MediaType.MANIFESTS, *MediaType.INDEXES)


def mend(
    engine: "Engine", report: Report, *, told: Callable[[Finding], None] | None = None
) -> Report:
    """Mend what is broken in `report`; give it with what became of each finding.

    Blobs come first, as layers are made from them. `told(finding)` is called after each attempt.
    """
    tell = told or (lambda _finding: None)
    mended: list[Finding] = []
    tried: set[tuple[str, str, int]] = set()
    while places := [
        place for place in _in_order(report) if _key(report.findings[place]) not in tried
    ]:
        tried |= {_key(report.findings[place]) for place in places}
        found = list(report.findings)
        with engine.store.lease():
            for place in places:
                found[place] = _one(engine, found[place])
                tell(found[place])
        mended += [row for row in found if row.health is Health.MENDED]
        rest = tuple(row for row in found if row.health is not Health.MENDED)
        report = replace(report, findings=rest)
        if any(found[place].part is Part.BLOB for place in places):
            # A document that can be read again says what else its image needs.
            known = {_key(row): row for row in rest if _key(row) in tried}
            fresh = check(engine)
            same = tuple(known.get(_key(row), row) for row in fresh.findings)
            report = replace(fresh, findings=same)
    return replace(report, findings=(*report.findings, *mended))


def _key(finding: Finding) -> tuple[str, str, int]:
    """Tell findings apart; a layer may be kept once per pile."""
    return finding.part, finding.subject, len(finding.pile)


def _in_order(report: Report) -> list[int]:
    """Give the places of what is broken: blobs first, then layers, the lower ones first."""
    rows = [
        (finding.part is not Part.BLOB, len(finding.pile), place)
        for place, finding in enumerate(report.findings)
        if finding.health is Health.BROKEN
    ]
    return [place for _, _, place in sorted(rows)]


def _one(engine: "Engine", finding: Finding) -> Finding:
    try:
        if finding.part is Part.BLOB and finding.wanted is not None:
            return finding.mended(_fetch(engine, finding.wanted, finding.images))
        if finding.part is Part.LAYER and finding.pile:
            return finding.mended(_seal(engine, finding.pile))
        if finding.part in (Part.MERGED, Part.UNPACKED):
            return finding.mended(discard(engine, finding))
    except (LaminaError, OSError) as error:
        return finding.noted(f"not mended: {error}")
    return finding


def _fetch(engine: "Engine", wanted: "Descriptor", images: tuple[str, ...]) -> str:
    """Fetch one blob again; say where from. Raises: NotFound (no registry has it), and theirs."""
    from lamina.remote.repository import Repository

    failure: LaminaError | None = None
    for reference in _origins(engine, images):
        repository = Repository.of(engine.client, reference)
        try:
            _receive(engine, repository, wanted)
        except LaminaError as error:
            failure = error
            continue
        return f"fetched again from {reference.familiar_name}"
    if failure is not None:
        raise failure
    raise NotFound("no image that needs it came from a registry")


def _origins(engine: "Engine", images: tuple[str, ...]) -> list[Reference]:
    """Give the repositories to ask: those of the images' names, each once, digested names first.

    A name with a digest is what a pull left: that repository had the very bytes.
    """
    rows = engine.store.names.all()
    manifests = {
        row.target.digest for row in rows if (row.name or str(row.target.digest)) in images
    }
    names = {row.name for row in rows if row.name and row.target.digest in manifests}
    names |= {name for name in images if "/" in name}
    found: dict[str, Reference] = {}
    for name in sorted(names, key=lambda name: ("@" not in name, name)):
        reference = Reference.parse(name)
        found.setdefault(reference.name, reference)
    return list(found.values())


def _receive(engine: "Engine", repository: "Repository", wanted: "Descriptor") -> None:
    """Bring the blob's bytes here; the writer verifies before it puts them in their place."""
    key = str(wanted.digest).replace(":", "-")
    with engine.store.blobs.writer(key) as writer:
        writer.truncate(0)
        if wanted.media_type in _DOCUMENTS:
            writer.write(repository.manifest(wanted.digest)[1])
        else:
            with repository.blob(wanted) as stream:
                for piece in chunks(stream):
                    writer.write(piece)
        writer.commit(wanted.digest, wanted.size)


def remake(engine: "Engine", pile: tuple[Digest, ...]) -> None:
    """Seal a missing layer again from its blob: a power failure may have taken it.

    Raises: NotFound (no image here has its blob), Corrupt (the blob is damaged), DiskFull.
    """
    with engine.store.lease():
        blob = _blob_of(engine, pile[-1])
        if blob is None:
            raise NotFound("no blob here holds it")
        with (
            engine.layers.writer(pile) as writer,
            engine.store.blobs.open(blob.digest) as file,
        ):
            if writer.sealed:
                return
            for piece in decompressed(VerifyingReader(file, blob.digest, blob.size)):
                writer.write(piece)
            writer.commit()


def _seal(engine: "Engine", pile: tuple[Digest, ...]) -> str:
    """Make a sealed layer again; say from what. Raises: NotFound (its tar is nowhere)."""
    path = engine.layers.find(pile)
    if path is not None:
        from lamina.layer.sealed import SealedLayer

        try:
            with SealedLayer.open(path) as layer:
                _seal_from(engine, pile, layer.tar())
        except (LaminaError, OSError):  # the header or the tar is damaged, too
            pass
        else:
            return "index made again from its tar"
    blob = _blob_of(engine, pile[-1])
    if blob is None:
        raise NotFound("no blob here holds it")
    with engine.store.blobs.open(blob.digest) as file:
        _seal_from(engine, pile, decompressed(VerifyingReader(file, blob.digest, blob.size)))
    return "made again from its blob"


def _seal_from(engine: "Engine", pile: tuple[Digest, ...], tar: Iterator[bytes]) -> None:
    with engine.layers.writer_again(pile) as writer:
        for piece in tar:
            writer.write(piece)
        writer.commit()


def _blob_of(engine: "Engine", diff_id: Digest) -> "Descriptor | None":
    """Find the blob of a layer: the manifest of an image with this pile names it."""
    from lamina.engine.adopt import manifest_of
    from lamina.spec.config import CONFIG_LIMIT, ImageConfig

    for row in engine.store.names.all():
        try:
            manifest = manifest_of(engine, row)
            raw = engine.store.blobs.read(manifest.config.digest, limit=CONFIG_LIMIT)
            diff_ids = ImageConfig.from_json(raw).diff_ids
        except LaminaError:
            continue
        for known, layer in zip(diff_ids, manifest.layers, strict=False):
            if known == diff_id and engine.store.blobs.has(layer.digest):
                return layer
    return None
