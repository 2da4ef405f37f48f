"""`update`: other limits, another restart policy, for what runs as well as for what does not."""

from lamina.engine.block_io import check_block_io
from lamina.engine.limits import check_limits
from lamina.errors import Invalid
from lamina.spec.limits import Limits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.engine.engine import Engine
    from lamina.engine.records import ContainerRecord
    from lamina.engine.restarting import RestartPolicy

__all__ = ["joined", "update"]


def joined(old: Limits, changes: Limits) -> Limits:
    """Give `old` with what `changes` names. A quota drives out processors by number, and back."""
    unsaid = Limits()._asdict()
    changed = {key: value for key, value in changes._asdict().items() if value != unsaid[key]}
    values = {**old._asdict(), **changed}
    if changes.nano_cpus:
        values |= {"cpu_period": 0, "cpu_quota": 0}
    elif changes.cpu_period or changes.cpu_quota:
        values["nano_cpus"] = 0
    if changes.memory and not changes.memory_swap and 0 < old.memory_swap < changes.memory:
        raise Invalid(
            "Memory limit should be smaller than already set memoryswap limit, update the "
            "memoryswap at the same time",
            hint="--memory-swap counts memory and swap together",
        )
    return Limits(**values)


def update(
    engine: "Engine",
    record: "ContainerRecord",
    changes: Limits,
    policy: "RestartPolicy | None" = None,
) -> None:
    """Change the limits that `changes` names, and the restart policy where one is given.

    A running container keeps running. Raises: LimitInvalid, Invalid, Unavailable (the kernel refuses:
    then nothing is changed on disk).
    """
    from lamina.engine import execution
    from lamina.engine.journal import note_container
    from lamina.values import replace

    limits = joined(Limits.from_host(record.host), changes)
    check_limits(limits)
    check_block_io(limits)
    host = {**record.host, **limits.to_host()}
    if policy is not None:
        if policy.name != "no" and host.get("AutoRemove"):
            raise Invalid(
                "Restart policy cannot be updated because AutoRemove is enabled for the container"
            )
        host["RestartPolicy"] = policy.to_json()
    if engine.containers.is_running(record.id):
        restart = host.get("RestartPolicy") or {}
        execution.send(engine, record, "update", limits=changes, all_limits=limits, restart=restart)
    engine.containers.files.save(replace(record, host=host))
    note_container(engine, record, "update")
