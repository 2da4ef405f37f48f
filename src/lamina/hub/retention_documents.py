"""Retention rules and verdicts as JSON. Pure."""

from collections.abc import Mapping

from lamina.errors import Invalid
from lamina.hub.retention_rules import Rule, Verdict
from lamina.hub.words import moment
from lamina.spec.wire import Document

__all__ = ["rule_document", "rule_from", "verdict_document"]

_NUMBERS = ("keep_newest", "pushed_within_days", "pulled_within_days", "untagged_days")
_TEXTS = ("keep", "only")


def rule_document(rule: Rule) -> Document:
    """Give a rule as JSON."""
    return {
        "target": rule.target,
        **{name: getattr(rule, name) for name in _NUMBERS},
        **{name: list(getattr(rule, name)) for name in _TEXTS},
        "changed_at": moment(rule.changed_at),
        "changed_by": rule.changed_by,
    }


def rule_from(target: str, document: Mapping[str, object]) -> Rule:
    """Read a rule that someone sent. Raises: Invalid."""
    unknown = sorted(set(document) - {*_NUMBERS, *_TEXTS, "target", "changed_at", "changed_by"})
    if unknown:
        raise Invalid(f"a retention rule has no {unknown[0]!r}")
    numbers: dict[str, int | None] = {}
    for name in _NUMBERS:
        value = document.get(name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            raise Invalid(f"`{name}` must be a whole number, or null")
        numbers[name] = value
    rule = Rule(target, keep=_texts(document, "keep"), only=_texts(document, "only"))
    return rule.with_numbers(numbers).check()


def _texts(document: Mapping[str, object], name: str) -> tuple[str, ...]:
    values = document.get(name, [])
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        raise Invalid(f"`{name}` must be a list of patterns")
    return tuple(values)


def verdict_document(verdict: Verdict) -> Document:
    """Give a verdict as JSON."""
    candidate = verdict.candidate
    pulled_at = candidate.pulled_at
    return {
        "repository": verdict.repository,
        "reference": candidate.name,
        "digest": candidate.digest,
        "size": candidate.size,
        "since": moment(candidate.since),
        "pulled_at": None if pulled_at is None else moment(pulled_at),
        "goes": verdict.goes,
        "why": verdict.why,
    }
