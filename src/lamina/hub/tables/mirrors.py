"""Rows of mirroring rules and of their runs."""

from dataclasses import dataclass, field

from lamina.hub.database import Connection, Row
from lamina.hub.errors import MirrorUnknown

__all__ = [
    "Mirror",
    "Run",
    "add",
    "add_run",
    "any_due",
    "claim",
    "end",
    "find",
    "forget_namespace",
    "hasten",
    "remove",
    "renew",
    "rows",
    "runs",
    "save_run",
]


@dataclass(frozen=True, slots=True)
class Mirror:
    """A rule: tags of `source` that fit a pattern are copied to `target` every so often."""

    id: str
    target: str
    source: str
    tags: tuple[str, ...]
    every_s: int
    deletes: bool
    username: str
    password: str = field(repr=False)
    next_at: float
    running_until: float
    created_at: float
    created_by: str


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a rule: tags copied, same as before, removed, failed; `size` is bytes that came."""

    id: str
    mirror_id: str
    began_at: float
    ended_at: float | None
    state: str
    copied: int = 0
    same: int = 0
    removed: int = 0
    failed: int = 0
    size: int = 0
    log: str = ""


_MIRROR = (
    "id, target, source, tags, every_s, deletes, username, password, next_at, running_until,"
    " created_at, created_by"
)
_RUN = "id, mirror_id, began_at, ended_at, state, copied, same, removed, failed, size, log"
_RUNS_KEPT = 50


def _mirror(row: Row) -> Mirror:
    return Mirror(
        row[0], row[1], row[2], tuple(row[3].split()), row[4], bool(row[5]), row[6], row[7],
        row[8], row[9], row[10], row[11],
    )  # fmt: skip


def add(connection: Connection, made: Mirror) -> None:
    """Keep a new rule."""
    connection.execute(
        f"INSERT INTO mirrors ({_MIRROR}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - a constant
        (
            made.id, made.target, made.source, " ".join(made.tags), made.every_s, made.deletes,
            made.username, made.password, made.next_at, made.running_until, made.created_at,
            made.created_by,
        ),
    )  # fmt: skip


def rows(connection: Connection) -> tuple[Mirror, ...]:
    """Give every rule by its target."""
    found = connection.execute(f"SELECT {_MIRROR} FROM mirrors ORDER BY target, id")  # noqa: S608 - a constant
    return tuple(_mirror(row) for row in found)


def find(connection: Connection, mirror_id: str) -> Mirror:
    """Give the rule of that id. Raises: MirrorUnknown."""
    row = connection.execute(
        f"SELECT {_MIRROR} FROM mirrors WHERE id = ?",  # noqa: S608 - a constant
        (mirror_id,),
    ).fetchone()
    if row is None:
        raise MirrorUnknown(f"there is no mirroring rule {mirror_id!r}")
    return _mirror(row)


def remove(connection: Connection, mirror_id: str) -> None:
    """Forget a rule and its runs; what was copied stays."""
    connection.execute("DELETE FROM mirrors WHERE id = ?", (mirror_id,))


def forget_namespace(connection: Connection, namespace: str) -> None:
    """Forget the rules that fill repositories of a namespace that goes."""
    below = f"{namespace}/"
    connection.execute("DELETE FROM mirrors WHERE substr(target, 1, ?) = ?", (len(below), below))


def hasten(connection: Connection, mirror_id: str, *, now: float) -> None:
    """Have a rule run as soon as somebody looks."""
    connection.execute("UPDATE mirrors SET next_at = ? WHERE id = ?", (now, mirror_id))


def any_due(connection: Connection, *, now: float) -> bool:
    """Tell whether a rule's time has come that nobody is at work on."""
    row = connection.execute(
        "SELECT 1 FROM mirrors WHERE next_at <= ? AND running_until <= ? LIMIT 1", (now, now)
    ).fetchone()
    return row is not None


def claim(connection: Connection, *, now: float, until: float) -> Mirror | None:
    """Take a rule whose time has come: nobody else has it before `until`; None: there is none.

    Runs of it that somebody began and never ended are failed from here on.
    """
    row = connection.execute(
        "UPDATE mirrors SET running_until = ? WHERE next_at <= ? AND running_until <= ? AND id IN"
        " (SELECT id FROM mirrors WHERE next_at <= ? AND running_until <= ?"
        "  ORDER BY next_at, id LIMIT 1) RETURNING id",
        (until, now, now, now, now),
    ).fetchone()
    if row is None:
        return None
    connection.execute(
        "UPDATE mirror_runs SET state = 'failed', ended_at = ?, log = log || ?"
        " WHERE mirror_id = ? AND ended_at IS NULL",
        (now, "the process that ran it ended\n", row[0]),
    )
    return find(connection, row[0])


def renew(connection: Connection, mirror_id: str, *, until: float) -> bool:
    """Stay at work on a rule; False: it was removed."""
    done = connection.execute(
        "UPDATE mirrors SET running_until = ? WHERE id = ?", (until, mirror_id)
    )
    return bool(done.rowcount)


def end(connection: Connection, mirror_id: str, *, next_at: float, began_at: float) -> None:
    """Let go of a rule until its next time; earlier where someone asked for that meanwhile."""
    connection.execute(
        "UPDATE mirrors SET running_until = 0,"
        " next_at = CASE WHEN next_at > ? THEN next_at ELSE ? END WHERE id = ?",
        (began_at, next_at, mirror_id),
    )


def add_run(connection: Connection, run: Run) -> None:
    """Note that a run begins; the oldest ones go."""
    connection.execute(
        f"INSERT INTO mirror_runs ({_RUN}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - a constant
        (
            run.id, run.mirror_id, run.began_at, run.ended_at, run.state, run.copied, run.same,
            run.removed, run.failed, run.size, run.log,
        ),
    )  # fmt: skip
    connection.execute(
        "DELETE FROM mirror_runs WHERE mirror_id = ? AND id NOT IN"
        " (SELECT id FROM mirror_runs WHERE mirror_id = ? ORDER BY began_at DESC LIMIT ?)",
        (run.mirror_id, run.mirror_id, _RUNS_KEPT),
    )


def save_run(connection: Connection, run: Run) -> None:
    """Write down how far a run is."""
    connection.execute(
        "UPDATE mirror_runs SET ended_at = ?, state = ?, copied = ?, same = ?, removed = ?,"
        " failed = ?, size = ?, log = ? WHERE id = ?",
        (
            run.ended_at, run.state, run.copied, run.same, run.removed, run.failed, run.size,
            run.log, run.id,
        ),
    )  # fmt: skip


def runs(connection: Connection, mirror_id: str, *, limit: int) -> tuple[Run, ...]:
    """Give a rule's runs, the newest first."""
    found = connection.execute(
        f"SELECT {_RUN} FROM mirror_runs WHERE mirror_id = ?"  # noqa: S608 - a constant
        " ORDER BY began_at DESC, id LIMIT ?",
        (mirror_id, limit),
    )
    return tuple(Run(*row) for row in found)
