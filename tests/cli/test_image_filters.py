"""Filters choose images as docker's do."""

import pytest
from tests.consoles import Console

from lamina.cli.image_filters import FilterInvalid, choose, moment, only_dangling, removable
from lamina.cli.units import since_epoch
from lamina.engine.local import ImageSummary
from lamina.spec.digest import Digest
from lamina.values import replace

NOW = since_epoch("2026-06-01T00:00:00Z")


def image(number: int, created: str, *names: str, digests: tuple[str, ...] = ()) -> ImageSummary:
    return ImageSummary(
        id=Digest(f"sha256:{number:064x}"),
        names=names,
        digests=digests,
        created=created,
        size=1,
        parent="",
    )


IMAGES = (
    image(3, "2026-05-31T23:00:00Z", "docker.io/library/debian:12", "docker.io/me/deb:latest"),
    image(2, "2026-05-01T00:00:00Z", "example.com:5000/app:v1"),
    image(1, "2026-04-01T00:00:00Z"),
)


def chosen(**filters: tuple[str, ...]) -> list[tuple[int, tuple[str, ...]]]:
    context = Console(now=NOW).context()
    return [(int(row.id.hex, 16), row.names) for row in choose(context, IMAGES, filters)]


@pytest.mark.parametrize(
    ("pattern", "numbers"),
    [
        ("debian", [3]), ("debian:12", [3]), ("debian:1?", [3]), ("deb*", [3]), ("deb*:*", [3]),
        ("me/*", [3]), ("*", [3]), ("*/*", [3, 2]), ("example.com:5000/a[op]p", [2]),
        ("nosuch", []), ("docker.io/library/debian", [3]), ("debian:1", []), (r"d\ebian", [3]), ("debi[^x]n", [3]), ("debi[^a]n", []),
    ],
)  # fmt: skip
def test_references_are_shell_patterns_that_stop_at_slashes(pattern: str, numbers: list[int]):
    assert [number for number, _ in chosen(reference=(pattern,))] == numbers


def test_only_the_names_that_fit_are_kept():
    assert chosen(reference=("deb*",)) == [(3, ("docker.io/library/debian:12",))]


def test_a_name_by_digest_fits_as_a_tag_does():
    digest = "example.com:5000/app@sha256:" + "ab" * 32
    lone = image(7, "2026-04-02T00:00:00Z", "docker.io/library/x:1", digests=(digest,))
    context = Console(now=NOW).context()
    for pattern, names in (
        ("example.com:5000/app", ()),
        ("*/app@sha256:ab*", ()),
        ("x", ("docker.io/library/x:1",)),
    ):
        (found,) = choose(context, (lone,), {"reference": (pattern,)})
        assert found.names == names, pattern
        assert found.digests == (() if names else (digest,)), pattern
    assert not choose(context, (lone,), {"reference": ("example.com:5000/app:v1",)})


def test_a_digest_stays_beside_a_tag_of_its_repository():
    tagged = image(
        8, "2026-04-02T00:00:00Z", "docker.io/me/x:1", digests=("docker.io/me/x@sha256:00",)
    )
    found = choose(Console(now=NOW).context(), (tagged,), {"reference": ("me/x:1",)})
    assert found == (tagged,)


def test_podmans_filters_choose_by_id_digest_and_state():
    child = replace(image(9, "2026-04-03T00:00:00Z", "docker.io/me/x:1"), parent=str(IMAGES[2].id))
    known = image(10, "2026-04-04T00:00:00Z", digests=("docker.io/me/deb@sha256:beef01",))
    shelf = (*IMAGES, child, known)

    def numbers(**filters: tuple[str, ...]) -> list[int]:
        found = choose(Console(now=NOW).context(), shelf, filters)
        return [int(row.id.hex, 16) for row in found]

    assert numbers(id=(str(IMAGES[1].id),)) == [2]
    assert numbers(id=("0" * 63 + "3", "0" * 63 + "9")) == [3, 9]
    assert numbers(digest=("beef",)) == numbers(digest=("sha256:beef01",)) == [10]
    assert numbers(digest=("0",)) == []
    assert numbers(intermediate=("true",)) == [1]
    assert numbers(intermediate=("false",)) == [3, 2, 9, 10]
    assert numbers(readonly=("true",)) == []
    assert len(numbers(readonly=("false",))) == len(shelf)


@pytest.mark.parametrize("pattern", ["[", "a[b", "a\\", "[z-a]"])
def test_a_broken_pattern_is_refused(pattern: str):
    with pytest.raises(FilterInvalid, match="syntax error in pattern"):
        chosen(reference=(pattern,))


def test_prunes_dangling_false_is_all():
    assert only_dangling({})
    assert only_dangling({"dangling": ("1",)})
    assert not only_dangling({"dangling": ("false",)})
    with pytest.raises(FilterInvalid):
        only_dangling({"dangling": ("maybe",)})


def test_dangling_images_have_no_name():
    assert [number for number, _ in chosen(dangling=("true",))] == [1]
    assert [number for number, _ in chosen(dangling=("0",))] == [3, 2]


def test_an_image_known_by_digest_alone_is_dangling_as_prune_sees_it():
    lone = image(7, "2026-04-02T00:00:00Z", digests=("docker.io/me/deb@sha256:0",))
    for asked in ("true", "false"):
        found = choose(Console(now=NOW).context(), (lone,), {"dangling": (asked,)})
        assert [row.id for row in found] == [lone.id], asked


def test_until_takes_ages_and_moments():
    assert [number for number, _ in chosen(until=("24h",))] == [2, 1]
    assert [number for number, _ in chosen(until=("2026-04-15",))] == [1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1h30m", NOW - 5400),
        ("1700000000", 1_700_000_000.0),
        ("1700000000.5", 1_700_000_000.5),
        ("2026-01-31", since_epoch("2026-01-31T00:00:00Z")),
        ("2026-01-31T12:00:00", since_epoch("2026-01-31T12:00:00Z")),
        ("2026-01-31T12:00:00+02:00", since_epoch("2026-01-31T10:00:00Z")),
    ],
)
def test_a_moment_is_read_in_every_form_docker_takes(text: str, expected: float):
    assert moment(text, NOW) == expected


@pytest.mark.parametrize(
    "filters", [{"nosuch": ("x",)}, {"dangling": ("maybe",)}, {"until": ("soon",)}]
)
def test_what_is_no_filter_is_refused(filters: dict[str, tuple[str, ...]]):
    with pytest.raises(FilterInvalid):
        chosen(**filters)


def test_a_prune_takes_what_is_old_enough_and_rightly_labelled():
    context = Console(now=NOW).context()
    test = removable(context, {"until": ("24h",), "label": ("a",), "label!": ("b", "c=1")})
    old, young = "2026-05-01T00:00:00Z", "2026-05-31T23:00:00Z"
    assert test(old, lambda: {"a": "", "c": "2"})
    assert not test(young, lambda: {"a": ""})
    assert not test(old, dict)
    assert not test(old, lambda: {"a": "", "b": "x"})
    assert not test(old, lambda: {"a": "", "c": "1"})
    with pytest.raises(FilterInvalid, match="'reference'"):
        removable(context, {"reference": ("x",)})
