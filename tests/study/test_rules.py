"""Rules of pipelines: read, refused with the nearest, and judged by exact figures."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.layer.test_view import ROOT, file, folder
from tests.study.explored import documents
from tests.study.piles import Items, pile

from lamina.study.rules import DEFAULTS, Judged, Rule, RuleInvalid, parse_file

STATUS = b"".join(
    b"Package: %s\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n" % name
    for name in (b"telnetd", b"libssl3")
)
LOW: Items = [
    ROOT, file(b"one", b"1" * 600), file(b"two", b"2" * 200), folder(b"var"), folder(b"var/lib"),
    folder(b"var/lib/dpkg"), file(b"var/lib/dpkg/status", STATUS),
]  # fmt: skip
HIGH: Items = [ROOT, file(b".wh.two"), file(b"three", b"3" * 800)]


@pytest.fixture
def found(tmp_path: Path) -> Iterator[Judged]:
    with pile(tmp_path, LOW, HIGH) as layers:
        yield Judged(layers, *documents(2))


SIZE = 1600 + len(STATUS)


@pytest.mark.parametrize(
    ("text", "passed", "said"),
    [
        ("waste<20MB", True, "200B"),
        ("waste < 200", False, "200B"),
        ("waste<=200B", True, "200B"),
        ("waste<0.1kB", False, "200B"),
        ("efficiency>0.95", False, f"{(SIZE - 200) / SIZE:.4f}"),
        ("Efficiency >= 50%", True, f"{(SIZE - 200) / SIZE:.4f}"),
        ("user-waste<=0.25", True, "0.2500"),
        ("user-waste<25%", False, "0.2500"),
        ("size>1kB", True, f"{SIZE / 1000:.3g}kB"),
        ("max-size=1KiB", False, f"{SIZE / 1000:.3g}kB"),
        ("download<=300", True, "300B"),
        ("max-layers=2", True, "2"),
        ("layers<2", False, "2"),
        ("layer<900", False, f"{800 + len(STATUS)}B (layer 1)"),
        ("max-layer=1MB", True, f"{800 + len(STATUS)}B (layer 1)"),
        ("no-secrets", True, "none found"),
        ("no-package=telnet*", False, "telnetd 1"),
        ("no-package=telnet", True, "not there"),
    ],
)
def test_a_rule_is_judged_by_its_figure(found: Judged, text: str, passed: bool, said: str):
    (verdict,) = found.by([Rule.parse(text)])
    assert (verdict.passed, verdict.said) == (passed, said)
    assert verdict.rule.text == text


def test_nothing_is_found_out_that_no_rule_asks_for(tmp_path: Path):
    with pile(tmp_path, LOW, HIGH) as layers:
        found = Judged(layers, *documents(2))
    # The layers are closed: whatever looks into them fails.
    assert [one.passed for one in found.by(map(Rule.parse, ("max-layers=2", "layer<1MB")))] == [
        True,
        True,
    ]
    with pytest.raises(ValueError, match="closed"):
        found.by([Rule.parse("no-secrets")])


def test_secrets_are_counted_and_the_first_is_named(tmp_path: Path):
    with pile(tmp_path, [ROOT]) as layers:
        found = Judged(layers, *documents(1, settings={"Env": ["DB_PASSWORD=hunter22"]}))
        (verdict,) = found.by([Rule.parse("no-secrets")])
    assert (verdict.passed, verdict.figure, verdict.said) == (
        False,
        1,
        "1 secret: an environment variable",
    )


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("wast<20MB", "no rule is called `wast`", "did you mean `waste`?"),
        ("max-sizes=1", "no rule is called `max-sizes`", "did you mean `max-size`?"),
        ("nothing", "no rule is called `nothing`", None),
        ("<5", "no rule is called `<5`", None),
        ("zzz=1", "no rule is called `zzz`", "there are waste<…, efficiency>…"),
        ("waste", "rule `waste` compares with nothing", "as in `waste<20MB`"),
        ("layers=5", "rule `layers=5` compares with nothing", "as in `layers<20`"),
        ("waste<lots", "rule `waste<lots`: `lots` is not a size", ""),
        ("waste<5XB", "`5XB` is not a size", ""),
        ("waste<1.2.3MB", "is not a size", ""),
        ("waste<-5", "is not a size", ""),
        ("efficiency>95", "`95` is not a share, as 0.95 or 95%", ""),
        ("efficiency>101%", "is not a share", ""),
        ("max-layers=5MB", "`5MB` is not a number", ""),
        ("max-size<5MB", "it is written max-size=LIMIT", ""),
        ("no-secrets=1", "no-secrets stands alone", ""),
        ("no-package", "it is written no-package=NAME", ""),
    ],
)
def test_a_rule_that_is_not_understood_is_refused_with_what_is_meant(
    text: str, message: str, hint: str | None
):
    with pytest.raises(RuleInvalid) as refused:
        Rule.parse(text)
    assert message in refused.value.message
    assert hint is None or hint in (refused.value.hint or "")
    assert refused.value.exit_code == 125


def test_a_file_has_a_rule_on_each_line():
    rules = parse_file("# ours\n\nwaste<20MB   # much\n  no-secrets\n", name=".lamina-ci")
    assert [rule.text for rule in rules] == ["waste<20MB", "no-secrets"]
    with pytest.raises(RuleInvalid, match=r"^\.lamina-ci, line 2: no rule is called `x`"):
        parse_file("no-secrets\nx<1\n", name=".lamina-ci")
    with pytest.raises(RuleInvalid, match=r"^\.lamina-ci has no rules"):
        parse_file("# nothing yet\n", name=".lamina-ci")


def test_dives_file_is_read(found: Judged):
    text = (
        "---\nrules:\n  # If the efficiency is measured below X%, mark as failed.\n"
        "  lowestEfficiency: 0.95\n  highestWastedBytes: '20MB'\n  highestUserWastedPercent: 0.20  # a ratio\n"
    )
    rules = parse_file(text, name=".dive-ci")
    assert [(rule.name, rule.sign, rule.limit) for rule in rules] == [
        ("efficiency", ">=", 0.95),
        ("waste", "<=", 20_000_000),
        ("user-waste", "<=", 0.2),
    ]
    assert [verdict.passed for verdict in found.by(rules)] == [False, True, False]
    off = "rules:\n  highest-wasted-bytes: disabled\n  lowest-efficiency: 0.5\n"
    assert [rule.text for rule in parse_file(off, name="x")] == [
        "user-waste<=0.1",
        "efficiency>=0.5",
    ]
    none = off.replace("0.5", "disabled") + "  highestUserWastedPercent: 'disabled'\n"
    assert parse_file(none, name="x") == ()
    with pytest.raises(RuleInvalid, match="dive has no rule called `other`"):
        parse_file("rules:\n  other: 5\n", name=".dive-ci")


def test_without_rules_an_image_is_judged_as_dive_would_and_by_its_secrets():
    assert [rule.text for rule in DEFAULTS] == ["efficiency>=0.9", "user-waste<=10%", "no-secrets"]
