"""Restart policies and health checks as people ask for them, and as Docker's documents have them."""

from collections.abc import Mapping

from lamina.errors import Invalid
from lamina.spec.wire import Document
from lamina.values import NamedTuple, dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.engine.records import ContainerRecord, ContainerState

__all__ = ["HealthRequest", "PolicyInvalid", "RestartPolicy", "health_command", "wants_start"]

_NAMES = ("no", "always", "on-failure", "unless-stopped")
_NS = 1_000_000_000
_LEAST_NS = 1_000_000
_TIMEOUT_NS = 30 * _NS


class PolicyInvalid(Invalid):
    """A restart policy or a health check that cannot be."""

    exit_code = 125


class RestartPolicy(NamedTuple):
    """When an ended container starts again; `retries` 0 is no end."""

    name: str = "no"
    retries: int = 0

    @classmethod
    def parse(cls, text: str) -> "RestartPolicy":
        """Read `no`, `always`, `unless-stopped`, `on-failure[:N]`. Raises: PolicyInvalid."""
        name, colon, count = text.partition(":")
        name = name or "no"
        if colon and not (count.lstrip("-").isascii() and count.lstrip("-").isdigit()):
            raise PolicyInvalid(
                "invalid restart policy format: maximum retry count must be an integer"
            )
        if name not in _NAMES:
            raise PolicyInvalid(
                f"invalid restart policy: unknown policy '{name}'; use one of 'no', 'always', "
                "'on-failure', or 'unless-stopped'"
            )
        retries = int(count or 0)
        if retries and name != "on-failure":
            raise PolicyInvalid(
                "invalid restart policy: maximum retry count can only be used with 'on-failure'"
            )
        if retries < 0:
            raise PolicyInvalid("invalid restart policy: maximum retry count cannot be negative")
        return cls(name, retries)

    def to_json(self) -> Document:
        """Give Docker's RestartPolicy."""
        return {"Name": self.name, "MaximumRetryCount": self.retries}


def wants_start(record: "ContainerRecord", state: "ContainerState") -> bool:
    """Tell whether a container that nobody watches is to run after the machine came up again."""
    policy = record.host.get("RestartPolicy") or {}
    name = policy.get("Name")
    if state.starting:  # somebody wanted it up, and its shim was killed before it was
        return name in ("always", "unless-stopped", "on-failure")
    if state.is_running or state.status == "created":
        return False
    if name == "always":
        return True
    if name == "unless-stopped":
        return not state.stopped
    most = int(policy.get("MaximumRetryCount") or 0)
    left = not most or state.restarts < most
    return name == "on-failure" and left and not state.stopped and state.exit_code != 0


@dataclass(frozen=True, slots=True)
class HealthRequest:
    """What is asked of health checks beyond the image's own. Times in nanoseconds, 0: as the image."""

    command: str = ""
    interval_ns: int = 0
    timeout_ns: int = 0
    start_period_ns: int = 0
    start_interval_ns: int = 0
    retries: int = 0
    off: bool = False

    def check(self) -> None:
        """Refuse what cannot be, in Docker's words. Raises: PolicyInvalid."""
        spans = {
            "interval": self.interval_ns,
            "timeout": self.timeout_ns,
            "start-period": self.start_period_ns,
            "start-interval": self.start_interval_ns,
        }
        if self.off and (self.command or self.retries or any(spans.values())):
            raise PolicyInvalid("--no-healthcheck conflicts with --health-* options")
        for name, span in spans.items():
            if span < 0:
                raise PolicyInvalid(f"--health-{name} cannot be negative")
            if 0 < span < _LEAST_NS:
                word = "".join(part.capitalize() for part in name.split("-"))
                raise PolicyInvalid(f"{word} in Healthcheck cannot be less than 1ms")
        if self.retries < 0:
            raise PolicyInvalid("--health-retries cannot be negative")

    def merged(self, image: Mapping[str, object]) -> Document:
        """Give Docker's Healthcheck: what was asked for over what `image` (its Healthcheck) has."""
        if self.off:
            return {"Test": ["NONE"]}
        asked = {
            "Test": ["CMD-SHELL", self.command] if self.command else None,
            "Interval": self.interval_ns,
            "Timeout": self.timeout_ns,
            "StartPeriod": self.start_period_ns,
            "StartInterval": self.start_interval_ns,
            "Retries": self.retries,
        }
        return {**image, **{key: value for key, value in asked.items() if value}}


def health_command(config: Document) -> tuple[tuple[str, ...], float]:
    """Give the words of a container's check and how many seconds it may take; no words for none."""
    health = config.get("Healthcheck") or {}
    kind, *words = health.get("Test") or ("NONE",)
    timeout_s = int(health.get("Timeout") or _TIMEOUT_NS) / _NS
    if kind == "CMD-SHELL":
        shell = config.get("Shell") or ["/bin/sh", "-c"]
        return (*shell, *words), timeout_s
    return (tuple(words) if kind == "CMD" else ()), timeout_s
