"""What a rule lets go, and why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.errors import Invalid
from lamina.hub.retention_rules import Candidate, Rule, judge, rule_for

DAY = 86400.0
NOW = 1000 * DAY


def tag(name: str, days: float, *, pulled: float | None = None) -> Candidate:
    pulled_at = None if pulled is None else NOW - pulled * DAY
    return Candidate(name, "sha256:" + "0" * 64, 1, NOW - days * DAY, pulled_at, 10)


TAGS = (tag("v1", 100, pulled=2), tag("v2", 50), tag("pr-1", 40), tag("pr-2", 3), tag("latest", 1))


def stays(rule: Rule, *, immutable: tuple[str, ...] = (), noted: float = 900) -> list[str]:
    found = judge(
        rule.check(), "alice/a", tags=TAGS, untagged=(), immutable=immutable,
        noted_since=NOW - noted * DAY, now=NOW,
    )  # fmt: skip
    return [each.candidate.name for each in found if not each.goes]


def why(rule: Rule, name: str) -> str:
    found = judge(
        rule.check(), "alice/a", tags=TAGS, untagged=(), immutable=(),
        noted_since=0.0, now=NOW,
    )  # fmt: skip
    return next(each.why for each in found if each.candidate.name == name)


def test_any_condition_keeps_a_tag():
    assert stays(Rule("hub", keep_newest=1)) == ["latest"]
    assert stays(Rule("hub", keep_newest=1, pushed_within_days=45)) == ["latest", "pr-2", "pr-1"]
    assert stays(Rule("hub", keep_newest=1, pulled_within_days=30)) == ["latest", "pr-2", "v1"]
    assert stays(Rule("hub", keep_newest=1, keep=("v*",))) == ["latest", "v2", "v1"]


def test_only_tags_like_a_pattern_go_and_the_newest_are_counted_among_them():
    assert stays(Rule("hub", only=("pr-*",))) == ["latest", "v2", "v1"]
    assert stays(Rule("hub", only=("pr-*",), keep_newest=1)) == ["latest", "pr-2", "v2", "v1"]
    assert stays(Rule("hub", only=("pr-*", "v*"), keep=("v1",))) == ["latest", "v1"]


def test_immutable_tags_stay_and_are_not_counted_among_the_newest():
    assert stays(Rule("hub", keep_newest=1), immutable=("latest", "v?")) == [
        "latest", "pr-2", "v2", "v1",
    ]  # fmt: skip


def test_a_tag_pulled_before_pulls_were_noted_counts_as_pulled_then():
    rule = Rule("hub", pulled_within_days=30)
    assert stays(rule, noted=900) == ["latest", "pr-2", "v1"]
    assert stays(rule, noted=29) == ["latest", "pr-2", "pr-1", "v2", "v1"]


def test_the_reason_names_every_condition_that_did_not_keep_it():
    rule = Rule("hub", keep_newest=2, pushed_within_days=30, pulled_within_days=30)
    assert why(rule, "v2") == "not among the newest 2, pushed 50 days ago, never asked for"
    assert why(rule, "v1") == "asked for or pushed within 30 days"
    assert why(Rule("hub", only=("pr-*",)), "pr-1") == "like pr-*"
    assert why(Rule("hub", only=("pr-*",)), "v1") == "not like pr-*"
    assert why(Rule("hub", keep_newest=1, keep=("v*",)), "v1") == "like v*"


def test_untagged_manifests_go_by_age_and_by_when_they_were_asked_for():
    old, used, new = (
        Candidate(f"sha256:{n}" + "0" * 63, f"sha256:{n}" + "0" * 63, n, NOW - age * DAY, pulled, 5)
        for n, age, pulled in ((1, 20, None), (2, 20, NOW - DAY), (3, 2, None))
    )
    found = judge(
        Rule("hub", untagged_days=7), "alice/a", tags=TAGS, untagged=(old, used, new),
        immutable=(), noted_since=0.0, now=NOW,
    )  # fmt: skip
    assert [(each.candidate, each.goes) for each in found] == [
        (old, True),
        (used, False),
        (new, False),
    ]
    assert found[0].why == "without a tag for 20 days, never asked for"
    assert found[0].reference == f"alice/a@{old.digest}"


def test_the_nearest_rule_holds_alone():
    rules = [Rule(target, keep_newest=1) for target in ("hub", "alice", "alice/a")]
    for name, target in (("alice/a", "alice/a"), ("alice/b", "alice"), ("bob/a", "hub")):
        found = rule_for(rules, name)
        assert found is not None
        assert found.target == target
    assert rule_for(rules[1:], "bob/a") is None


@pytest.mark.parametrize(
    "rule",
    [
        Rule("hub"), Rule("hub", keep=("v*",)), Rule("hub", keep_newest=0),
        Rule("hub", pushed_within_days=-1), Rule("hub", only=("a:b",)), Rule("hub", only=("",)),
        Rule("hub", untagged_days=-1), Rule("hub", keep_newest=10**9),
    ],
)  # fmt: skip
def test_a_rule_that_lets_nothing_go_or_cannot_be_is_refused(rule: Rule):
    with pytest.raises(Invalid):
        rule.check()


def test_a_rule_is_said_in_words():
    rule = Rule("hub", keep_newest=10, pushed_within_days=1, keep=("v*",), untagged_days=7)
    assert rule.words == (
        "keep the newest 10, pushed within 1 day, like v*; drop untagged after 7 days"
    )
    assert Rule("hub", only=("pr-*",)).words == "of tags like pr-* keep none"


@given(
    ages=st.lists(st.floats(0, 400), max_size=12),
    newest=st.integers(1, 8),
    days=st.integers(1, 300),
)
def test_as_many_of_the_newest_stay_as_were_asked_for_and_nothing_younger_than_the_days_goes(
    ages: list[float], newest: int, days: int
):
    tags = [tag(f"t{number}", age) for number, age in enumerate(ages)]
    found = judge(
        Rule("hub", keep_newest=newest, pushed_within_days=days), "a/b", tags=tags, untagged=(),
        immutable=(), noted_since=0.0, now=NOW,
    )  # fmt: skip
    assert {each.candidate for each in found} == set(tags)
    kept = [each for each in found if not each.goes]
    assert len(kept) >= min(newest, len(tags))
    gone = [each.candidate for each in found if each.goes]
    assert all(each.since <= NOW - days * DAY for each in gone)
    assert not gone or max(each.since for each in gone) <= min(
        each.candidate.since for each in kept
    )
