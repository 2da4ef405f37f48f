"""`wait`: until a container does not run, has run once more, or is gone; and with which exit code."""

import time

from lamina.engine import execution
from lamina.engine.journal import last_exit_code
from lamina.engine.names import ContainerUnknown
from lamina.errors import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.engine.engine import Engine
    from lamina.engine.records import ContainerRecord

__all__ = ["CONDITIONS", "wait_for"]

CONDITIONS = ("not-running", "next-exit", "removed", "stopped")
"""Docker's conditions; `stopped` is podman's word for the first."""

_POLL_S = 0.05


def wait_for(engine: "Engine", record: "ContainerRecord", condition: str = "not-running") -> int:
    """Wait until `condition` holds of a container; give the exit code it ended with last.

    A container that never ran does not run, and has 0. `next-exit` waits for the end of what runs now
    or starts next. The code of one that was made with `--rm` is told though it is gone.
    Raises: ContainerUnknown (gone, and the journal no longer knows how it ended), Invalid (condition).
    """
    if condition not in CONDITIONS:
        raise Invalid(f'invalid condition: "{condition}"', hint=f"one of {', '.join(CONDITIONS)}")
    try:
        if condition == "removed":
            return _until_removed(engine, record)
        if condition == "next-exit":
            _until_begun(engine, record)
        return execution.wait(engine, record) or 0
    except ContainerUnknown:  # `--rm`: it was gone before we were connected
        code = last_exit_code(engine, record.id)
        if code is None:
            raise
        return code


def _until_begun(engine: "Engine", record: "ContainerRecord") -> None:
    """Wait until it runs, or ran and ended, or failed to start. Raises: ContainerUnknown."""
    before = engine.containers.state(record.id).finished
    while True:
        state = engine.containers.state(record.id)
        # While it is being started there is a state without times.
        if state.is_running or state.finished not in ("", before):
            return
        engine.containers.record(record.id)
        time.sleep(_POLL_S)


def _until_removed(engine: "Engine", record: "ContainerRecord") -> int:
    code = 0
    while engine.containers.files.load(record.id) is not None:
        if engine.containers.is_running(record.id):
            code = execution.wait(engine, record) or 0
        else:
            code = engine.containers.state(record.id).exit_code or code
            time.sleep(_POLL_S)
    known = last_exit_code(engine, record.id)
    return code if known is None else known
