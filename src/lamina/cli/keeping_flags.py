"""The flags of restart policies and health checks, and what they make."""

from __future__ import annotations

from lamina.cli.flags import BOOL, DURATION, INT, Flag, FlagInvalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.flags import Arguments
    from lamina.engine.restarting import HealthRequest, RestartPolicy

__all__ = ["FLAGS", "RESTART", "health_of", "policy_of"]

RESTART = Flag("restart", help="Restart policy to apply when a container exits", default="no")
FLAGS = (
    RESTART,
    Flag("health-cmd", help="Command to run to check health"),
    Flag("health-interval", kind=DURATION, help="Time between running the check (ms|s|m|h)"),
    Flag("health-retries", kind=INT, help="Consecutive failures needed to report unhealthy"),
    Flag(
        "health-start-interval",
        kind=DURATION,
        help="Time between running the check during the start period (ms|s|m|h)",
    ),
    Flag(
        "health-start-period",
        kind=DURATION,
        help="Start period for the container to initialize before failures count (ms|s|m|h)",
    ),
    Flag("health-timeout", kind=DURATION, help="Maximum time to allow one check to run (ms|s|m|h)"),
    Flag("no-healthcheck", kind=BOOL, help="Disable any container-specified HEALTHCHECK"),
)


def policy_of(arguments: Arguments) -> RestartPolicy:
    """Read `--restart`. Raises: PolicyInvalid, FlagInvalid (with `--rm`)."""
    from lamina.engine.restarting import RestartPolicy

    policy = RestartPolicy.parse(arguments.text("restart"))
    if policy.name != "no" and arguments.flag("rm"):
        raise FlagInvalid("conflicting options: cannot specify both --restart and --rm")
    return policy


def health_of(arguments: Arguments) -> HealthRequest:
    """Read the flags of health checks. Raises: PolicyInvalid."""
    from lamina.engine.restarting import HealthRequest

    request = HealthRequest(
        command=arguments.text("health-cmd"),
        interval_ns=arguments.number("health-interval"),
        timeout_ns=arguments.number("health-timeout"),
        start_period_ns=arguments.number("health-start-period"),
        start_interval_ns=arguments.number("health-start-interval"),
        retries=arguments.number("health-retries"),
        off=arguments.flag("no-healthcheck"),
    )
    request.check()
    return request
