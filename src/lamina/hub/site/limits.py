"""What a form says a new credential may do, where, and for how long: tokens and robots ask alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from lamina.hub.access import ACTIONS

__all__ = ["LIVES", "Limits"]

LIVES = ((7, "7 days"), (30, "30 days"), (90, "90 days"), (365, "a year"), (0, "without end"))
_USUAL_LIFE = 90


@dataclass(frozen=True, slots=True)
class Limits:
    """`targets` as it was typed; `days` is 0 for without end."""

    actions: tuple[str, ...] = ("pull",)
    targets: str = ""
    days: int = _USUAL_LIFE

    @classmethod
    def parse(cls, form: Mapping[str, str]) -> Self:
        """Read a form; pulling is always among it, and a life that is not offered is the usual one."""
        days = next((each for each, _ in LIVES if str(each) == form.get("days")), _USUAL_LIFE)
        actions = ("pull", *(each for each in ACTIONS if each != "pull" and form.get(each)))
        return cls(actions, form.get("targets", ""), days)

    @property
    def names(self) -> list[str]:
        """The namespaces and repositories it is limited to."""
        return self.targets.replace(",", " ").split()

    @property
    def values(self) -> dict[str, object]:
        """What the form is filled with."""
        return {"actions": self.actions, "targets": self.targets, "days": self.days, "lives": LIVES}
