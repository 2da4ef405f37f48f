"""`--filter` of image listings, and of prune: dangling, reference, before, since, until, label, label!."""

from __future__ import annotations

import re
from functools import partial

from lamina.cli.kinds import parse_bool, parse_duration
from lamina.cli.units import TimeInvalid, parse_time, since_epoch
from lamina.errors import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lamina.cli.context import Context
    from lamina.engine.local import ImageSummary

    Test = Callable[[str, Callable[[], Mapping[str, str]]], bool]
    Chosen = tuple[tuple[ImageSummary, tuple[str, ...]], ...]

__all__ = ["FilterInvalid", "choose", "labels_of", "moment", "removable"]

_KNOWN = frozenset(("before", "dangling", "label", "label!", "reference", "since", "until"))
_PRUNING = frozenset(("label", "label!", "until"))


class FilterInvalid(Invalid):
    """No such filter, or no such value of it."""


def choose(
    context: Context, images: Sequence[ImageSummary], filters: Mapping[str, tuple[str, ...]]
) -> Chosen:
    """Give the images that pass every filter, each with the names that do.

    Values of one filter are alternatives, except labels, which must all be there.
    Raises: FilterInvalid, ImageUnknown (`before` or `since` an image that is not here).
    """
    _check(filters, _KNOWN)
    oldest, newest = _span(context, filters)
    chosen = []
    for image in images:
        names = _names(image, filters)
        created = since_epoch(image.created)
        if names is None or not oldest < created < newest:
            continue
        if not _passes(filters, partial(labels_of, context, image)):
            continue
        chosen.append((image, names))
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


def _check(filters: Mapping[str, tuple[str, ...]], known: frozenset[str]) -> None:
    unknown = sorted(set(filters) - known)
    if unknown:
        raise FilterInvalid(
            f"invalid filter '{unknown[0]}'", hint=f"there are {', '.join(sorted(known))}"
        )


def moment(text: str, now: float) -> float:
    """Read a point in time: RFC 3339, a date, epoch seconds, or an age such as `24h`."""
    try:
        return now - parse_duration(text) / 1e9
    except ValueError:
        pass
    if text.replace(".", "", 1).isdigit():
        return float(text)
    for form in (text, f"{text}T00:00:00Z", f"{text}Z"):
        try:
            seconds, nanos = parse_time(form)
        except TimeInvalid:
            continue
        return seconds + nanos / 1e9
    raise FilterInvalid(
        f"invalid time {text!r}", hint="write 24h, 2026-01-31 or 2026-01-31T12:00:00Z"
    )


def _span(context: Context, filters: Mapping[str, tuple[str, ...]]) -> tuple[float, float]:
    """Give the times between which an image must have been made."""
    newest = [moment(text, context.now()) for text in filters.get("until", ())]
    newest += [_created(context, name) for name in filters.get("before", ())]
    oldest = [_created(context, name) for name in filters.get("since", ())]
    return max(oldest, default=float("-inf")), min(newest, default=float("inf"))


def _created(context: Context, name: str) -> float:
    return since_epoch(context.engine.images.resolve(name).config.created)


def _names(image: ImageSummary, filters: Mapping[str, tuple[str, ...]]) -> tuple[str, ...] | None:
    """Give the names that pass `dangling` and `reference`; None when the image does not."""
    for text in filters.get("dangling", ()):
        try:
            dangling = parse_bool(text)
        except ValueError:
            raise FilterInvalid(f"invalid filter 'dangling={text}'") from None
        # As docker: an image known by digest alone is dangling, and is not left out without it.
        if image.names if dangling else not (image.names or image.digests):
            return None
    patterns = filters.get("reference", ())
    if not patterns:
        return image.names
    forms = [_pattern(text) for text in patterns]
    names = tuple(name for name in image.names if any(_fits(form, name) for form in forms))
    return names or None


def _fits(form: re.Pattern[str], name: str) -> bool:
    familiar = name.removeprefix("docker.io/library/").removeprefix("docker.io/")
    repository = familiar.rpartition(":")[0]
    return bool(form.fullmatch(familiar) or form.fullmatch(repository))


def _pattern(text: str) -> re.Pattern[str]:
    """Read a shell pattern as Go's path.Match: `*` and `?` stop at a slash."""
    text = text.removeprefix("docker.io/library/").removeprefix("docker.io/")
    out = []
    at = 0
    while at < len(text):
        letter = text[at]
        at += 1
        end = text.find("]", at + 1)
        if letter == "*":
            out.append("[^/]*")
        elif letter == "?":
            out.append("[^/]")
        elif letter == "[" and end > 0:
            inside = text[at:end].replace("\\", "\\\\").replace("[", "\\[")
            out.append(f"[{inside}]")
            at = end + 1
        else:
            out.append(re.escape(letter))
    try:
        return re.compile("".join(out))
    except re.error:
        raise FilterInvalid(f"invalid reference pattern {text!r}") from None


def labels_of(context: Context, image: ImageSummary) -> Mapping[str, str]:
    """Read the labels of an image from its configuration."""
    found: Mapping[str, str] = (
        context.engine.images.resolve(str(image.id)).config.settings.get("Labels") or {}
    )
    return found


def _passes(
    filters: Mapping[str, tuple[str, ...]], labels: Callable[[], Mapping[str, str]]
) -> bool:
    """Tell whether every `label` is there and no `label!` is; looks only where one is asked for."""
    wanted, unwanted = filters.get("label", ()), filters.get("label!", ())
    if not wanted and not unwanted:
        return True
    found = labels()
    return all(_has(found, text) for text in wanted) and not any(
        _has(found, text) for text in unwanted
    )


def _has(labels: Mapping[str, str], text: str) -> bool:
    name, equals, value = text.partition("=")
    return name in labels and (not equals or labels[name] == value)
