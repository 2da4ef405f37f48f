"""Which images at registries an image was built on: by the layers that their manifests name."""

from contextlib import suppress
from functools import partial
from itertools import chain, islice, zip_longest
from threading import Lock

from lamina.errors import (
    Corrupt,
    Denied,
    Invalid,
    LaminaError,
    NotFound,
    Unauthorized,
    Unsupported,
)
from lamina.image.jobs import Cancelled, Jobs, gather
from lamina.remote.errors import RequestRefused, TooManyRequests
from lamina.remote.repository import Repository
from lamina.spec.config import CONFIG_LIMIT, ImageConfig
from lamina.spec.descriptor import MediaType
from lamina.spec.digest import Digest
from lamina.spec.manifest import Index, Manifest, parse_manifest
from lamina.spec.reference import Reference
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from lamina.engine.engine import Engine
    from lamina.engine.local import LocalImage
    from lamina.spec.descriptor import Descriptor

    Told = Callable[[int, int], None]

__all__ = ["LIMIT", "Looked", "RemoteImage", "remote_bases"]

LIMIT = 500
"""Tags that are looked at unless more are asked for: some registries count each as a pull."""
_AT_ONCE = 8
_DEEPEST_INDEX = 4
_REPOSITORIES = 1000


@dataclass(frozen=True, slots=True)
class RemoteImage:
    """An image at a registry whose `layers` are the lowest of another's, and its names there."""

    id: Digest
    digest: Digest
    names: tuple[str, ...]
    layers: int


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found, the most layers first; how many tags were looked at, and how many were not.

    `failed` says of listed repositories and of tags why they could not be read. `more`: there are repositories
    that were not even asked for their tags.
    """

    bases: tuple[RemoteImage, ...]
    tags: int
    left: int
    failed: tuple[str, ...]
    more: bool = False


@dataclass(frozen=True, slots=True)
class _Row:
    """One tag, or digest, of one repository."""

    repository: Repository
    reference: Reference


def remote_bases(
    engine: "Engine",
    name_or_id: str,
    places: "Sequence[str]",
    *,
    limit: int = LIMIT,
    told: "Told | None" = None,
) -> Looked:
    """Look at `places` for images that a local one stands on.

    A place is a registry (`hub.example.com`, `localhost:5000`: all that it lists), a repository (all
    its tags), a namespace (those of its repositories that are listed) or one image. Of each tag its manifest is read, of an index the one for the image's
    platform; its configuration only where the layers are packed otherwise. At most `limit` tags (0:
    all), in turn from each repository. `told` hears how many of how many were looked at.
    Raises: ImageUnknown, Invalid (a place), Unsupported (a registry that lists no repositories);
    NotFound, Unauthorized, Denied, Unavailable (of a registry or repository that was named).
    """
    image = engine.images.documents(name_or_id)
    jobs = Jobs(_AT_ONCE, name="bases")
    look = _Look(image, told)
    try:
        tags, more = _tags(engine, places, jobs, look.failed)
        rows = list(chain.from_iterable(zip_longest(*tags)))
        rows = [row for row in rows if row is not None]
        wanted = rows[:limit] if limit else rows
        look.total = len(wanted)
        gather([(jobs, partial(look.at, row)) for row in wanted])
    except BaseException:
        engine.abort()
        raise
    finally:
        jobs.close(Cancelled("another call failed first"))
    left = len(rows) - look.done
    return Looked(tuple(look.bases()), look.done, left, tuple(sorted(look.failed)), more)


def _tags(
    engine: "Engine", places: "Sequence[str]", jobs: Jobs, failed: list[str]
) -> "tuple[list[list[_Row]], bool]":
    """Give the tags of each repository of the places, and whether there are repositories besides."""
    found: list[list[_Row]] = []
    calls: list[Callable[[], list[_Row]]] = []
    more = False
    for place in places:
        if _is_registry(place):
            names = _listed(engine, place.rstrip("/"))
            some = list(islice(names, _REPOSITORIES))
            more |= next(names, None) is not None
            calls += [partial(_tags_or_failure, engine, name, failed) for name in some]
            continue
        reference = Reference.parse(place, default_tag="")
        repository = Repository.of(engine.client, reference)
        if reference.tag or reference.digest:
            found.append([_Row(repository, reference)])
        else:
            calls.append(partial(_tags_below, engine, repository, reference))
    found += gather([(jobs, call) for call in calls])
    return found, more


def _is_registry(place: str) -> bool:
    """Tell whether a place is a whole registry: `debian:12` is none, `hub.lan:5000/` says so."""
    host = place.partition(":")[0]
    return place.endswith("/") or ("/" not in place and (host == "localhost" or "." in host))


def _listed(engine: "Engine", registry: str) -> "Iterator[Reference]":
    """Give the repositories of a registry. Raises: Unsupported (it lists none)."""
    from lamina.remote.catalog import catalog

    try:
        for name in catalog(engine.client, registry):
            yield Reference.parse(f"{registry}/{name}", default_tag="")
    except NotFound as error:
        raise Unsupported(
            f"{registry} does not list its repositories", hint="name one with --at"
        ) from error


def _tags_of(repository: Repository, reference: Reference) -> list[_Row]:
    name = reference.familiar_name
    return [
        _Row(repository, Reference.parse(f"{name}:{tag}", default_tag=""))
        for tag in repository.tags()
    ]


def _tags_below(engine: "Engine", repository: Repository, reference: Reference) -> list[_Row]:
    """Give the tags of what was named: a repository, or else all whose names begin with it and a slash.

    Raises: NotFound, Unauthorized, Denied (there is neither), Unavailable.
    """
    try:
        return _tags_of(repository, reference)
    except (NotFound, Unauthorized, Denied, RequestRefused) as error:
        below: list[list[_Row]] = []
        with suppress(NotFound, Unauthorized, Denied, Unsupported):
            names = (
                name
                for name in _listed(engine, reference.registry)
                if name.repository.startswith(f"{reference.repository}/")
            )
            below.extend(
                _tags_of(Repository.of(engine.client, name), name)
                for name in islice(names, _REPOSITORIES)
            )
        rows = [row for row in chain.from_iterable(zip_longest(*below)) if row is not None]
        if not rows:
            error.hint = (
                f"name a repository, as {reference.familiar_name}/NAME, or the registry: no repository that "
                f"{reference.registry} lists begins with {reference.repository}/ (`lamina login` may show more)"
            )
            raise
        return rows


def _tags_or_failure(engine: "Engine", reference: Reference, failed: list[str]) -> list[_Row]:
    try:
        return _tags_of(Repository.of(engine.client, reference), reference)
    except LaminaError as error:
        failed.append(f"{reference.familiar_name}: {error.message}")
        return []


class _Look:
    """Looks at tags from several threads; each document is read once."""

    def __init__(self, image: "LocalImage", told: "Told | None") -> None:
        self._pile = image.config.diff_ids
        self._blobs = tuple(layer.digest for layer in image.manifest.layers)
        self._platform = image.config.platform
        self._told = told
        self._lock = Lock()
        self._found: dict[tuple[str, str], list[tuple[Reference, Manifest]]] = {}
        self._known: dict[Digest, bool] = {}
        self._full = False
        self.total = 0
        self.done = 0
        self.failed: list[str] = []

    def at(self, row: _Row) -> None:
        """Look at one tag; what cannot be read is noted. Nothing, once the registry has enough of us."""
        if self._full:
            return
        try:
            manifest = self._image(row)
            is_base = manifest is not None and self._stands_on(row.repository, manifest)
        except TooManyRequests as error:
            self._note(row, error)
            self._full = True
            return
        except LaminaError as error:
            self._note(row, error)
            manifest, is_base = None, False
        with self._lock:
            self.done += 1
            if manifest is not None and is_base:
                key = (row.repository.name, str(manifest.digest))
                self._found.setdefault(key, []).append((row.reference, manifest))
            if self._told is not None:
                self._told(self.done, self.total)

    def bases(self) -> "Iterable[RemoteImage]":
        """Give what was found: one row for each manifest of a repository."""
        found = [
            RemoteImage(
                rows[0][1].config.digest,
                rows[0][1].digest,
                tuple(sorted(reference.familiar for reference, _ in rows)),
                len(rows[0][1].layers),
            )
            for rows in self._found.values()
        ]
        return sorted(found, key=lambda base: (-base.layers, base.names))

    def _note(self, row: _Row, error: LaminaError) -> None:
        self.failed.append(f"{row.reference.familiar}: {error.message}")

    def _image(self, row: _Row) -> Manifest | None:
        """Read the manifest of a tag, for the image's platform; None where there is none such."""
        target: str | Digest = row.reference.digest or row.reference.tag
        for _ in range(_DEEPEST_INDEX):
            descriptor, raw = row.repository.manifest(target)
            document = parse_manifest(raw, descriptor.media_type)
            if isinstance(document, Manifest):
                return document if document.config.media_type in MediaType.CONFIGS else None
            child = self._child(document)
            if child is None:
                return None
            target = child.digest
        return None

    def _child(self, index: Index) -> "Descriptor | None":
        rows = [row for row in index.manifests if row.platform]
        best = self._platform.choose(row.platform for row in rows if row.platform)
        return next((row for row in rows if best is not None and row.platform == best), None)

    def _stands_on(self, repository: Repository, manifest: Manifest) -> bool:
        count = len(manifest.layers)
        if not 0 < count < len(self._pile):
            return False
        if tuple(layer.digest for layer in manifest.layers) == self._blobs[:count]:
            return True
        config = manifest.config  # the same layers may be packed otherwise
        if config.digest not in self._known:
            self._known[config.digest] = self._diff_ids(repository, config) == self._pile[:count]
        return self._known[config.digest]

    @staticmethod
    def _diff_ids(repository: Repository, config: "Descriptor") -> tuple[Digest, ...]:
        if config.size > CONFIG_LIMIT:
            raise Invalid(f"its configuration has {config.size} bytes")
        with repository.blob(config) as reader:
            raw = reader.read()
        if Digest.of(raw, config.digest.algorithm) != config.digest:
            raise Corrupt(f"its configuration does not match {config.digest}")
        return ImageConfig.from_json(raw).diff_ids
