"""`--filter` of image listings, and of prune: docker's, and those of podman that mean something here."""

from __future__ import annotations

import re
from functools import partial

from lamina.cli.kinds import parse_bool
from lamina.cli.moments import parse_moment
from lamina.cli.units import since_epoch
from lamina.errors import Corrupt, Invalid, NotFound, Unsupported
from lamina.values import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lamina.cli.context import Context
    from lamina.engine.local import ImageSummary
    from lamina.spec.digest import Digest

    Test = Callable[[str, Callable[[], Mapping[str, str]]], bool]

__all__ = ["FilterInvalid", "choose", "labels_of", "moment", "only_dangling", "removable"]

_PRUNING = frozenset(("label", "label!", "until"))
_FLAGS = ("containers", "dangling", "intermediate", "readonly")
_KNOWN = _PRUNING | {"before", "digest", "id", "reference", "since", *_FLAGS}


class FilterInvalid(Invalid):
    """No such filter, or no such value of it."""


def choose(
    context: Context, images: Sequence[ImageSummary], filters: Mapping[str, tuple[str, ...]]
) -> tuple[ImageSummary, ...]:
    """Give the images that pass every filter, each with no more than the names that do.

    Values of one filter are alternatives, except labels, which must all be there.
    Raises: FilterInvalid, ImageUnknown (`before` or `since` an image that is not here).
    """
    _check(filters, _KNOWN)
    oldest, newest = _span(context, filters)
    tests = (_flags(context, images, filters), _prefixed(filters))
    forms = [_pattern(text) for text in filters.get("reference", ())]
    chosen = []
    for image in images:
        if not oldest < since_epoch(image.created) < newest:
            continue
        found = _named(image, forms) if forms else image
        if found is None or not all(test(image) for test in tests):
            continue
        if _passes(filters, partial(labels_of, context, image)):
            chosen.append(found)
    return tuple(chosen)


def removable(context: Context, filters: Mapping[str, tuple[str, ...]]) -> Test:
    """Give the test that `--filter` of a prune asks for: what fails it stays.

    The test takes when a thing was made (RFC 3339), and a call that gives its labels.
    Raises: FilterInvalid.
    """
    _check(filters, _PRUNING)
    newest = min(
        (moment(text, context.now()) for text in filters.get("until", ())), default=float("inf")
    )

    def test(created: str, labels: Callable[[], Mapping[str, str]]) -> bool:
        return since_epoch(created) < newest and _passes(filters, labels)

    return test


def only_dangling(filters: Mapping[str, tuple[str, ...]]) -> bool:
    """Tell what docker's `dangling` asks of `image prune`: false is another word for `--all`.

    Raises: FilterInvalid.
    """
    asked = [_bool("dangling", text) for text in filters.get("dangling", ())]  # each is checked
    return all(asked)


def _check(filters: Mapping[str, tuple[str, ...]], known: frozenset[str]) -> None:
    unknown = sorted(set(filters) - known)
    if unknown:
        raise FilterInvalid(
            f"invalid filter '{unknown[0]}'", hint=f"there are {', '.join(sorted(known))}"
        )


def moment(text: str, now: float) -> float:
    """Read a point in time: RFC 3339, a date, epoch seconds, or an age such as `24h`."""
    try:
        return parse_moment(text, now) / 1e9
    except ValueError as error:
        raise FilterInvalid(
            f"invalid time {text!r}: {error}",
            hint="write 24h, 2026-01-31 or 2026-01-31T12:00:00Z",
        ) from None


def _span(context: Context, filters: Mapping[str, tuple[str, ...]]) -> tuple[float, float]:
    """Give the times between which an image must have been made."""
    newest = [moment(text, context.now()) for text in filters.get("until", ())]
    newest += [_created(context, name) for name in filters.get("before", ())]
    oldest = [_created(context, name) for name in filters.get("since", ())]
    return max(oldest, default=float("-inf")), min(newest, default=float("inf"))


def _created(context: Context, name: str) -> float:
    return since_epoch(context.engine.images.resolve(name).config.created)


def _flags(
    context: Context, images: Sequence[ImageSummary], filters: Mapping[str, tuple[str, ...]]
) -> Callable[[ImageSummary], bool]:
    """Give the test of all filters that are true or false."""
    wanted = [(name, _bool(name, text)) for name in _FLAGS for text in filters.get(name, ())]
    names = {name for name, _ in wanted}
    used = _used(context) if "containers" in names else set()
    parents = {image.parent for image in images if image.parent}

    def test(image: ImageSummary) -> bool:
        facts = {
            "containers": image.id in used,
            # As docker: an image known by digest alone is dangling, and passes `false` as well.
            "dangling": not image.names,
            "intermediate": not image.names and not image.digests and str(image.id) in parents,
            "readonly": False,  # there is one store, and it may be written
        }
        return all(
            facts[name] == value or (name == "dangling" and not value and bool(image.digests))
            for name, value in wanted
        )

    return test


def _used(context: Context) -> set[Digest]:
    return {i for record in context.engine.containers.records() for i in record.images}


def _bool(name: str, text: str) -> bool:
    try:
        return parse_bool(text)
    except ValueError:
        raise FilterInvalid(f"invalid filter '{name}={text}'", hint="write true or false") from None


def _prefixed(filters: Mapping[str, tuple[str, ...]]) -> Callable[[ImageSummary], bool]:
    """Give the test of an ID and of a manifest's digest, each cut short or whole."""
    ids, digests = (
        tuple(text.removeprefix("sha256:") for text in filters.get(name, ()))
        for name in ("id", "digest")
    )

    def test(image: ImageSummary) -> bool:
        known = [row.partition("@sha256:")[2] for row in image.digests]
        return (not ids or image.id.hex.startswith(ids)) and (
            not digests or any(row.startswith(digests) for row in known)
        )

    return test


def _named(image: ImageSummary, forms: Sequence[re.Pattern[str]]) -> ImageSummary | None:
    """Give the image with the names and digests that fit; None when none does.

    A digest stays beside a tag of its repository that fits.
    """
    names = tuple(name for name in image.names if any(_fits(form, name) for form in forms))
    beside = {name.rpartition(":")[0] for name in names}
    digests = tuple(
        name
        for name in image.digests
        if name.partition("@")[0] in beside or any(_fits(form, name) for form in forms)
    )
    return replace(image, names=names, digests=digests) if names or digests else None


def _fits(form: re.Pattern[str], name: str) -> bool:
    familiar = name.removeprefix("docker.io/library/").removeprefix("docker.io/")
    repository = familiar.partition("@")[0] if "@" in familiar else familiar.rpartition(":")[0]
    return bool(form.fullmatch(familiar) or form.fullmatch(repository))


def _pattern(text: str) -> re.Pattern[str]:
    """Read a shell pattern as Go's path.Match: `*` and `?` stop at a slash. Raises: FilterInvalid."""
    out = []
    cut = text.removeprefix("docker.io/library/").removeprefix("docker.io/")
    letters = iter(range(len(cut)))
    for at in letters:
        letter = cut[at]
        end = cut.find("]", at + 2)
        if letter == "*":
            out.append("[^/]*")
        elif letter == "?":
            out.append("[^/]")
        elif letter == "[" and end > 0:
            inside = cut[at + 1 : end].replace("[", "\\[")
            out.append(f"[{inside}]")
            for _ in range(end - at):
                next(letters)
        elif letter == "[" or cut[at:] == "\\":
            raise _broken(text)
        elif letter == "\\":
            out.append(re.escape(cut[next(letters)]))
        else:
            out.append(re.escape(letter))
    try:
        return re.compile("".join(out))
    except re.error:
        raise _broken(text) from None


def _broken(text: str) -> FilterInvalid:
    return FilterInvalid(
        f"syntax error in pattern {text!r}", hint="write it as for files: `*`, `?`, `[a-z]`"
    )


def labels_of(context: Context, image: ImageSummary) -> Mapping[str, str]:
    """Read the labels of an image from its configuration; none where they are no labels."""
    found = context.engine.images.documents(str(image.id)).config.settings.get("Labels")
    return found if isinstance(found, dict) else {}


def _passes(
    filters: Mapping[str, tuple[str, ...]], labels: Callable[[], Mapping[str, str]]
) -> bool:
    """Tell whether every `label` is there and no `label!` is; looks only where one is asked for."""
    wanted, unwanted = filters.get("label", ()), filters.get("label!", ())
    if not wanted and not unwanted:
        return True
    try:
        found = labels()
    except (Corrupt, Invalid, NotFound, Unsupported):  # removed since it was listed, or damaged
        return False
    return all(_has(found, text) for text in wanted) and not any(
        _has(found, text) for text in unwanted
    )


def _has(labels: Mapping[str, str], text: str) -> bool:
    name, equals, value = text.partition("=")
    return name in labels and (not equals or labels[name] == value)
