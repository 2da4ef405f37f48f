import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import platforms

from lamina.spec.platform import Platform, PlatformInvalid


@given(platforms())
def test_parsing_what_was_printed_gives_the_same_platform(platform: Platform):
    assert Platform.parse(str(platform)) == platform
    assert Platform.from_json(platform.to_json()) == platform


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("linux/amd64", "linux/amd64"),
        ("linux/x86_64", "linux/amd64"),
        ("Linux/AArch64", "linux/arm64"),
        ("arm64", "linux/arm64"),
        ("linux/arm/v7", "linux/arm/v7"),
        ("windows/amd64", "windows/amd64"),
        ("windows(10.0.17763.1)/amd64", "windows(10.0.17763.1)/amd64"),
    ],
)
def test_platforms_are_written_in_gos_words(text: str, printed: str):
    assert str(Platform.parse(text)) == printed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "linux/",
        "linux/arm/v7/x",
        "linux/a b",
        "../x",
        "li nux",
        "windows(10/amd64",
        "windows()/amd64",
        "windows(1/2)/amd64",
    ],
)
def test_what_is_no_platform_is_refused(text: str):
    with pytest.raises(PlatformInvalid):
        Platform.parse(text)


@pytest.mark.parametrize(
    ("machine", "printed"),
    [("x86_64", "linux/amd64"), ("aarch64", "linux/arm64"), ("armv7l", "linux/arm/v7"),
     ("armv6l", "linux/arm/v6"), ("i686", "linux/386"), ("riscv64", "linux/riscv64")],
)  # fmt: skip
def test_this_machine_is_named_in_gos_words(machine: str, printed: str):
    assert str(Platform.from_machine(machine)) == printed


@pytest.mark.parametrize(
    ("here", "offered", "chosen"),
    [
        ("linux/amd64", ["linux/arm64", "linux/amd64"], "linux/amd64"),
        ("linux/amd64", ["linux/amd64/v3", "linux/amd64"], "linux/amd64"),
        ("linux/amd64/v3", ["linux/amd64", "linux/amd64/v2"], "linux/amd64/v2"),
        ("linux/arm64", ["linux/arm64/v8"], "linux/arm64/v8"),
        ("linux/arm64/v8", ["linux/arm64"], "linux/arm64"),
        ("linux/arm/v7", ["linux/arm/v5", "linux/arm/v6"], "linux/arm/v6"),
        ("linux/arm/v6", ["linux/arm/v7", "linux/arm/v5"], "linux/arm/v5"),
        ("linux/arm/v6", ["linux/arm/v7"], None),
        ("linux/riscv64", ["linux/riscv64"], "linux/riscv64"),
        ("linux/amd64", ["windows/amd64", "unknown/unknown"], None),
        ("linux/amd64", [], None),
        (
            "windows/amd64",
            ["windows(10.0.20348.1)/amd64", "windows(10.0.17763.1)/amd64"],
            "windows(10.0.20348.1)/amd64",
        ),
        (
            "windows(10.0.17763.5)/amd64",
            [
                "windows(10.0.20348.1)/amd64",
                "windows(10.0.17763.1)/amd64",
                "windows(10.0.17763.12)/amd64",
            ],
            "windows(10.0.17763.12)/amd64",
        ),
        (
            "windows(10.0.26100)/amd64",
            ["windows(10.0.17763.1)/amd64", "windows(10.0.20348.1)/amd64"],
            "windows(10.0.20348.1)/amd64",
        ),
        ("windows(10.0.20348)/amd64", ["windows(10.0.26100.1)/amd64"], None),
        (
            "windows(10.0.17763)/amd64",
            ["windows(11.0.17763)/amd64", "windows/amd64"],
            "windows/amd64",
        ),
    ],
)
def test_the_best_platform_that_runs_here_is_chosen(
    here: str, offered: list[str], chosen: str | None
):
    best = Platform.parse(here).choose([Platform.parse(text) for text in offered])
    assert (str(best) if best else None) == chosen


@given(platforms(), st.lists(platforms(), max_size=8))
def test_a_choice_is_one_of_those_offered_and_runs_on_this_machine(
    here: Platform, offered: list[Platform]
):
    best = here.choose(offered)
    assert best is None or best in offered
    assert best is None or (best.os, best.architecture) == (here.os, here.architecture)


@given(platforms(), st.lists(platforms(), max_size=8))
def test_what_is_offered_exactly_is_chosen_exactly(here: Platform, offered: list[Platform]):
    if here.variant:
        best = here.choose([*offered, here])
        assert best is not None
        assert {best.variant or "v8" if here.architecture == "arm64" else best.variant or "v7"} <= {
            here.variant, "v7" if not best.variant else best.variant,
        }  # fmt: skip


def test_what_needs_no_feature_comes_before_what_does():
    plain = Platform("windows", "amd64", os_version="10.0.1")
    demanding = Platform("windows", "amd64", os_version="10.0.2", os_features=("win32k",))
    able = Platform("windows", "amd64", os_features=("win32k",))
    assert Platform("windows", "amd64").choose((demanding, plain)) == plain
    assert Platform("windows", "amd64").choose((demanding,)) == demanding
    assert able.choose((demanding, plain)) == demanding
    assert Platform.from_json(demanding.to_json()) == demanding
    assert (demanding.kind, str(demanding)) == ("windows/amd64", "windows(10.0.2)/amd64")
