"""Which tags and manifests a rule lets go, and why. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from lamina.errors import Invalid
from lamina.hub.names import HUB, namespace_of

__all__ = ["Candidate", "Rule", "Verdict", "judge", "rule_for"]

_DAY_S = 86400
_MOST = 1_000_000


@dataclass(frozen=True, slots=True)
class Rule:
    """What goes from `target`. Each condition may be None: not asked for.

    Of the tags like one of `only` (all, when empty) those stay that any condition keeps: one of the
    `keep_newest` last pushed, pushed or asked for within so many days, like one of `keep`.
    A manifest that no tag names and nobody asked for goes after `untagged_days`.
    """

    target: str
    keep_newest: int | None = None
    pushed_within_days: int | None = None
    pulled_within_days: int | None = None
    keep: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    untagged_days: int | None = None
    changed_at: float = 0.0
    changed_by: str = ""

    @property
    def takes_tags(self) -> bool:
        """Tell whether any tag may go by it."""
        numbers = (self.keep_newest, self.pushed_within_days, self.pulled_within_days)
        return bool(self.only) or any(each is not None for each in numbers)

    @property
    def words(self) -> str:
        """Say it: `keep the newest 10, pushed within 30 days; drop untagged after 7 days`."""
        keeps = []
        if self.keep_newest is not None:
            keeps.append(f"the newest {self.keep_newest}")
        if self.pushed_within_days is not None:
            keeps.append(f"pushed within {_days(self.pushed_within_days)}")
        if self.pulled_within_days is not None:
            keeps.append(f"asked for within {_days(self.pulled_within_days)}")
        keeps += [f"like {each}" for each in self.keep]
        words = []
        if self.takes_tags:
            of = f"of tags like {' or '.join(self.only)} " if self.only else ""
            words.append(f"{of}keep {', '.join(keeps) or 'none'}")
        if self.untagged_days is not None:
            words.append(f"drop untagged after {_days(self.untagged_days)}")
        return "; ".join(words)

    def with_numbers(self, numbers: Mapping[str, int | None]) -> "Rule":
        """Give it with these conditions: `keep_newest`, `pushed_within_days` and so on."""
        return Rule(
            self.target,
            numbers.get("keep_newest"),
            numbers.get("pushed_within_days"),
            numbers.get("pulled_within_days"),
            self.keep,
            self.only,
            numbers.get("untagged_days"),
        )

    def check(self) -> "Rule":
        """Give itself back. Raises: Invalid."""
        for name in ("keep_newest", "pushed_within_days", "pulled_within_days", "untagged_days"):
            value = getattr(self, name)
            least = 0 if name == "untagged_days" else 1
            if value is not None and not least <= value <= _MOST:
                raise Invalid(f"{name.replace('_', ' ')} must be {least} or more, not {value}")
        for pattern in (*self.keep, *self.only):
            if not pattern or ":" in pattern or "/" in pattern or any(map(str.isspace, pattern)):
                raise Invalid(
                    f"{pattern!r} is no pattern of tags",
                    hint="write it as v*, '*' stands for anything, '?' and '[…]' for one letter",
                )
        if not self.takes_tags and self.untagged_days is None:
            raise Invalid(
                "the rule lets nothing go",
                hint="say how many of the newest stay, for how many days, or which tags may go",
            )
        return self


@dataclass(frozen=True, slots=True)
class Candidate:
    """A tag, or a manifest without one (`name` is its digest then) that nothing holds.

    `since` is when it was pushed, or lost its tag; `pulled_at` None: never.
    """

    name: str
    digest: str
    manifest_id: int
    since: float
    pulled_at: float | None
    size: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a candidate of `repository`, and why."""

    repository: str
    candidate: Candidate
    goes: bool
    why: str

    @property
    def reference(self) -> str:
        """`alice/app:v1` or `alice/app@sha256:…`."""
        sign = "@" if ":" in self.candidate.name else ":"
        return f"{self.repository}{sign}{self.candidate.name}"


def rule_for(rules: Iterable[Rule], repository: str) -> Rule | None:
    """Give the one rule that holds in a repository: its own, its namespace's, the hub's."""
    found = {rule.target: rule for rule in rules}
    for target in (repository, namespace_of(repository), HUB):
        if target in found:
            return found[target]
    return None


def judge(
    rule: Rule,
    repository: str,
    *,
    tags: Sequence[Candidate],
    untagged: Sequence[Candidate],
    immutable: Sequence[str],
    noted_since: float,
    now: float,
) -> tuple[Verdict, ...]:
    """Say of each candidate what becomes of it; tags from the newest on.

    `immutable` are patterns of tags that never go; pulls are known from `noted_since` on, and what is
    older counts as asked for then.
    """
    newest = sorted(tags, key=lambda tag: (-tag.since, tag.name)) if rule.takes_tags else []
    verdicts, place = [], 0
    for tag in newest:
        why = _kept_by_name(rule, tag.name, immutable)
        if not why:
            place += 1
            why = _kept_by_age(rule, tag, place, noted_since, now)
        going = _why_gone(rule, tag, now)
        verdicts.append(Verdict(repository, tag, not why, why or going))
    if rule.untagged_days is not None:
        verdicts += [
            _judge_untagged(rule.untagged_days, repository, each, now) for each in untagged
        ]
    return tuple(verdicts)


def _kept_by_name(rule: Rule, tag: str, immutable: Sequence[str]) -> str:
    if _like(tag, immutable):
        return "immutable"
    if found := _like(tag, rule.keep):
        return f"like {found}"
    if rule.only and not _like(tag, rule.only):
        return f"not like {' or '.join(rule.only)}"
    return ""


def _kept_by_age(rule: Rule, tag: Candidate, place: int, noted_since: float, now: float) -> str:
    if rule.keep_newest is not None and place <= rule.keep_newest:
        return f"among the newest {rule.keep_newest}"
    days = rule.pushed_within_days
    if days is not None and tag.since > now - days * _DAY_S:
        return f"pushed within {_days(days)}"
    days = rule.pulled_within_days
    if days is not None and max(tag.pulled_at or noted_since, tag.since) > now - days * _DAY_S:
        return f"asked for or pushed within {_days(days)}"
    return ""


def _why_gone(rule: Rule, tag: Candidate, now: float) -> str:
    words = []
    if found := _like(tag.name, rule.only):
        words.append(f"like {found}")
    if rule.keep_newest is not None:
        words.append(f"not among the newest {rule.keep_newest}")
    if rule.pushed_within_days is not None:
        words.append(f"pushed {_ago(now - tag.since)}")
    if rule.pulled_within_days is not None:
        words.append(_asked(tag.pulled_at, now))
    return ", ".join(words)


def _judge_untagged(days: int, repository: str, each: Candidate, now: float) -> Verdict:
    used = max(each.since, each.pulled_at or 0.0)
    if used > now - days * _DAY_S:
        return Verdict(
            repository, each, goes=False, why=f"without a tag, used within {_days(days)}"
        )
    why = f"without a tag for {_days(int((now - each.since) / _DAY_S))}, {_asked(each.pulled_at, now)}"
    return Verdict(repository, each, goes=True, why=why)


def _asked(pulled_at: float | None, now: float) -> str:
    return "never asked for" if pulled_at is None else f"asked for {_ago(now - pulled_at)}"


def _ago(seconds: float) -> str:
    days = int(seconds / _DAY_S)
    return f"{_days(days)} ago" if days else "today"


def _days(days: int) -> str:
    return "1 day" if days == 1 else f"{days} days"


def _like(tag: str, patterns: Sequence[str]) -> str:
    """Give the first of `patterns` that fits; empty: none."""
    return next((pattern for pattern in patterns if fnmatchcase(tag, pattern)), "")
