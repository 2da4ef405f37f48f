"""Use cases of retention: rules, what they would take, and taking it. Every call may block.

A dry run and a real one judge alike. Between judging and taking, a tag that was pushed, moved or
asked for is left alone; immutable tags never go, whichever process looks.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from lamina.hub.database import Connection, Database
from lamina.hub.errors import RuleUnknown
from lamina.hub.names import HUB
from lamina.hub.outbox import Deed, Outbox
from lamina.hub.retention_rules import Rule, Verdict, judge, rule_for
from lamina.hub.rules import TagRules
from lamina.hub.tables import audit, manifests, retention, settled, turns
from lamina.hub.tables.audit import Entry
from lamina.hub.targets import check_target, covers
from lamina.spec.digest import Digest

__all__ = ["Retention", "Retired"]

_PAGE = 200
_BATCH = 50
_ACTOR = "retention"


@dataclass(frozen=True, slots=True)
class Retired:
    """How much a run took."""

    tags: int = 0
    manifests: int = 0


class Retention:
    """The rules of one hub. `immutable` are the tag rules this process was started with."""

    def __init__(
        self, database: Database, *, clock: Callable[[], float], immutable: TagRules
    ) -> None:
        self._database = database
        self._clock = clock
        self._immutable = immutable
        self._outbox = Outbox(clock=clock)

    def rules(self) -> tuple[Rule, ...]:
        """Give every rule by target."""
        return self._database.read(retention.rules)

    def rule(self, target: str) -> Rule:
        """Give a target's own rule. Raises: Invalid, RuleUnknown."""
        check_target(target)
        found = next((each for each in self.rules() if each.target == target), None)
        if found is None:
            raise RuleUnknown(f"{target} has no retention rule of its own")
        return found

    def set(self, rule: Rule, *, by: str) -> Rule:
        """Make a rule, in place of its target's old one. Raises: Invalid."""
        check_target(rule.target)
        made = replace(rule.check(), changed_at=self._clock(), changed_by=by)
        self._database.write(lambda connection: retention.set_rule(connection, made))
        return made

    def remove(self, target: str) -> None:
        """Drop a rule. Raises: RuleUnknown."""
        if not self._database.write(lambda connection: retention.remove_rule(connection, target)):
            raise RuleUnknown(f"{target} has no retention rule of its own")

    def plan(self, target: str = HUB, *, draft: Rule | None = None) -> Iterator[Verdict]:
        """Give what becomes of every tag and untagged manifest in `target`, a repository at a time.

        With a `draft` as if that were a rule already. Nothing is changed. Raises: Invalid.
        """
        check_target(target)
        if draft is not None:
            check_target(draft.check().target)
        for repository_id, name, rule in self._ruled(target, draft):
            yield from self._judge(repository_id, name, rule)

    def run(self, target: str = HUB) -> Retired:
        """Take what the rules let go in `target`, with an entry in the audit log for each."""
        check_target(target)
        gone_tags = gone_manifests = 0
        for repository_id, name, rule in self._ruled(target, None):
            going = [each for each in self._judge(repository_id, name, rule) if each.goes]
            for first in range(0, len(going), _BATCH):
                taken = self._take(repository_id, going[first : first + _BATCH])
                count = sum(":" in each.candidate.name for each in taken)
                gone_manifests += count
                gone_tags += len(taken) - count
        return Retired(gone_tags, gone_manifests)

    def run_in_turn(self, *, every_s: float) -> Retired:
        """Run, unless another process did so less than about `every_s` ago."""
        now = self._clock()
        until = now + 0.9 * every_s
        if self._database.write(
            lambda connection: turns.take_turn(connection, "retention", now=now, until=until)
        ):
            return self.run()
        return Retired()

    def _ruled(self, target: str, draft: Rule | None) -> Iterator[tuple[int, str, Rule]]:
        """Give the repositories of `target` in which a rule holds, and which."""
        rules = {each.target: each for each in self.rules()}
        if draft is not None:
            rules[draft.target] = draft
        last = ""
        while rules:
            page = self._page(last)
            if not page:
                return
            last = page[-1][1]
            for repository_id, name in page:
                rule = rule_for(rules.values(), name)
                if rule is not None and covers(target, name):
                    yield repository_id, name, rule

    def _page(self, last: str) -> tuple[tuple[int, str], ...]:
        return self._database.read(
            lambda connection: retention.repositories_after(connection, last, limit=_PAGE)
        )

    def _judge(self, repository_id: int, name: str, rule: Rule) -> tuple[Verdict, ...]:
        now = self._clock()

        def work(connection: Connection) -> tuple[Verdict, ...]:
            return judge(
                rule,
                name,
                tags=retention.tags(connection, repository_id),
                untagged=retention.untagged(connection, repository_id),
                immutable=self._immutable_here(connection, name),
                noted_since=settled.pulls_noted_since(connection, otherwise=now),
                now=now,
            )

        return self._database.read(work)

    def _immutable_here(self, connection: Connection, name: str) -> tuple[str, ...]:
        """Give the patterns that hold: those of this process, and those the hub was served with."""
        noted = TagRules.parse(settled.immutable(connection))
        return self._immutable.for_repository(name) + noted.for_repository(name)

    def _take(self, repository_id: int, going: list[Verdict]) -> list[Verdict]:
        now = self._clock()

        def work(connection: Connection) -> list[Verdict]:
            taken = []
            for verdict in going:
                judged = verdict.candidate
                if not retention.is_as_judged(connection, repository_id, judged):
                    continue
                self._outbox.tell(connection, _deed(connection, verdict))
                if ":" in judged.name:
                    manifests.doom(connection, repository_id, Digest(judged.digest), now=now)
                else:
                    manifests.remove_tag(connection, repository_id, judged.name, now=now)
                subject = f"{verdict.reference} ({verdict.why})"
                audit.add(connection, Entry(now, "", _ACTOR, subject, "", "", ""))
                taken.append(verdict)
            return taken

        return self._database.write(work)


def _deed(connection: Connection, verdict: Verdict) -> Deed:
    """Give what webhooks are told."""
    judged = verdict.candidate
    row = connection.execute(
        "SELECT media_type, length(raw) FROM manifests WHERE id = ?", (judged.manifest_id,)
    ).fetchone()
    tag = "" if ":" in judged.name else judged.name
    return Deed("delete", verdict.repository, "", judged.digest, row[0], row[1], tag=tag)
