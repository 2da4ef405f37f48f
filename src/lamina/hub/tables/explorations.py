"""Rows of what was found in images, and of who looks into which."""

from collections.abc import Iterable
from dataclasses import dataclass

from lamina.hub.database import Connection, Row
from lamina.hub.tables import manifests
from lamina.hub.tables.manifests import Tag
from lamina.spec.digest import Digest

__all__ = [
    "Exploration",
    "Job",
    "answers",
    "answers_by_part",
    "any_due",
    "claim",
    "drop",
    "drop_older",
    "find",
    "finish",
    "forget_turns",
    "index_of",
    "look_again",
    "next_due",
    "note_index",
    "of_tags",
    "postpone",
    "release",
    "renew",
    "wait",
]


@dataclass(frozen=True, slots=True)
class Job:
    """A manifest to look into, and by whom; `tries` counts this one.

    `waits` is how often it was put off because the machine lacked something.
    """

    manifest_id: int
    repository_id: int
    name: str
    digest: Digest
    media_type: str
    raw: bytes
    worker: str
    tries: int
    waits: int


@dataclass(frozen=True, slots=True)
class Exploration:
    """How far looking into an image is: `looking`, `done`, `later` (it is tried again) or `failed`.

    `trouble` says why not; with `waits` it is the machine that lacks something. `parts` are the digests of the blobs that hold what was found: an index for
    each layer, lowest first, then the list of paths.
    """

    manifest_id: int
    state: str
    trouble: str
    since: float
    efficiency: float
    wasted: int
    packages: int
    secrets: int
    parts: tuple[Digest, ...]
    waits: int = 0


_DUE = "look_at IS NOT NULL AND look_at <= ?"
# From repository to repository in which something waits, by key: not through all that waits.
_NEXT = f"""
    WITH RECURSIVE waiting (id) AS (
      SELECT (SELECT repository_id FROM manifests WHERE look_at IS NOT NULL
              ORDER BY repository_id LIMIT 1)
      UNION ALL
      SELECT (SELECT repository_id FROM manifests
              WHERE look_at IS NOT NULL AND repository_id > waiting.id
              ORDER BY repository_id LIMIT 1)
      FROM waiting WHERE waiting.id IS NOT NULL
    ), newest (namespace, id) AS (
      SELECT namespace,
        (SELECT manifests.id FROM manifests WHERE repository_id = waiting.id AND {_DUE}
         ORDER BY manifests.id DESC LIMIT 1)
      FROM waiting JOIN repositories ON repositories.id = waiting.id
    )
    SELECT max(newest.id) FROM newest LEFT JOIN explorer_turns
      ON explorer_turns.namespace = newest.namespace
    WHERE newest.id IS NOT NULL GROUP BY newest.namespace
    ORDER BY coalesce(max(turn), 0), max(newest.id) DESC LIMIT 1
"""  # noqa: S608 - a constant
_COLUMNS = "manifest_id, state, trouble, since, efficiency, wasted, packages, secrets, parts, waits"


def any_due(connection: Connection, *, now: float) -> bool:
    """Tell whether an image waits."""
    row = connection.execute(f"SELECT 1 FROM manifests WHERE {_DUE} LIMIT 1", (now,)).fetchone()  # noqa: S608 - a constant
    return row is not None


def next_due(connection: Connection, *, now: float) -> int | None:
    """Give the manifest whose turn it is: of the namespace that waits for its turn longest, the newest.

    Costs a look by key for each repository in which something waits, a quarter of a second for 100,000 of them.
    """
    row = connection.execute(_NEXT, (now,)).fetchone()
    return row[0] if row else None


def claim(
    connection: Connection, manifest_id: int, worker: str, *, now: float, until: float
) -> Job | None:
    """Take a manifest that waits; nobody else gets it before `until`. None: another was quicker."""
    taken = connection.execute(
        f"UPDATE manifests SET look_at = ? WHERE id = ? AND {_DUE}",  # noqa: S608 - a constant
        (until, manifest_id, now),
    )
    if not taken.rowcount:
        return None
    row = connection.execute(
        "SELECT repository_id, name, digest, media_type, raw, namespace FROM manifests"
        " JOIN repositories ON repositories.id = repository_id WHERE manifests.id = ?",
        (manifest_id,),
    ).fetchone()
    connection.execute(
        "INSERT INTO explorer_turns (namespace, turn) VALUES (?, ?)"
        " ON CONFLICT (namespace) DO UPDATE SET turn = excluded.turn",
        (row[5], now),
    )
    tries, waits = connection.execute(
        "INSERT INTO explorations (manifest_id, state, worker, tries, since)"
        " VALUES (?, 'looking', ?, 1, ?) ON CONFLICT (manifest_id) DO UPDATE SET state = 'looking',"
        " worker = excluded.worker, tries = explorations.tries + 1, since = excluded.since"
        " RETURNING tries, waits",
        (manifest_id, worker, now),
    ).fetchone()
    return Job(
        manifest_id, row[0], row[1], Digest(row[2]), row[3], bytes(row[4]), worker, tries, waits
    )


def forget_turns(connection: Connection, *, before: float) -> None:
    """Drop the turns of long ago: who had none is as far in front."""
    connection.execute("DELETE FROM explorer_turns WHERE turn < ?", (before,))


def renew(connection: Connection, job: Job, *, until: float) -> bool:
    """Keep a manifest for longer; False: it is gone, or another's."""
    renewed = connection.execute(
        "UPDATE manifests SET look_at = ? WHERE id = ? AND EXISTS (SELECT 1 FROM explorations"
        " WHERE manifest_id = manifests.id AND worker = ? AND state = 'looking')",
        (until, job.manifest_id, job.worker),
    )
    return bool(renewed.rowcount)


def release(connection: Connection, job: Job) -> None:
    """Let go of a manifest at once: the hub stops, which was no try."""
    released = connection.execute(
        "UPDATE explorations SET tries = tries - 1 WHERE manifest_id = ? AND worker = ?",
        (job.manifest_id, job.worker),
    )
    if released.rowcount:
        connection.execute("UPDATE manifests SET look_at = 0 WHERE id = ?", (job.manifest_id,))


def drop_older(connection: Connection, job: Job, kind: str, digest: Digest, *, now: float) -> None:
    """Delete what was attached to an image by an earlier look at it, but for `digest`."""
    found, _ = manifests.referrers(
        connection, job.repository_id, job.digest, artifact_type=kind, last="", limit=100
    )
    for one in found:
        if not one.pushed_by and one.digest != digest:
            manifests.drop(connection, one, now=now)


def drop(connection: Connection, job: Job) -> None:
    """Note that there is nothing to look into: it is no image."""
    connection.execute("UPDATE manifests SET look_at = NULL WHERE id = ?", (job.manifest_id,))
    connection.execute("DELETE FROM explorations WHERE manifest_id = ?", (job.manifest_id,))


def postpone(
    connection: Connection, job: Job, trouble: str, *, now: float, until: float | None
) -> None:
    """Note why nothing was found, and when to try again: None is never."""
    state = "failed" if until is None else "later"
    noted = connection.execute(
        "UPDATE explorations SET state = ?, trouble = ?, since = ?"
        " WHERE manifest_id = ? AND worker = ?",
        (state, trouble, now, job.manifest_id, job.worker),
    )
    if noted.rowcount:
        connection.execute(
            "UPDATE manifests SET look_at = ? WHERE id = ?", (until, job.manifest_id)
        )


def wait(connection: Connection, job: Job, trouble: str, *, now: float, until: float) -> None:
    """Note what the machine lacks, and when to look whether it has it again: that was no try."""
    postpone(connection, job, trouble, now=now, until=until)
    connection.execute(
        "UPDATE explorations SET tries = tries - 1, waits = waits + 1"
        " WHERE manifest_id = ? AND worker = ?",
        (job.manifest_id, job.worker),
    )


def finish(connection: Connection, found: Exploration, packed: bytes) -> None:
    """Keep what was found."""
    connection.execute(
        "UPDATE explorations SET state = 'done', trouble = '', since = ?, efficiency = ?,"
        " wasted = ?, packages = ?, secrets = ?, parts = ? WHERE manifest_id = ?",
        (
            found.since, found.efficiency, found.wasted, found.packages, found.secrets,
            " ".join(found.parts), found.manifest_id,
        ),
    )  # fmt: skip
    connection.execute(
        "INSERT INTO exploration_answers (manifest_id, answers) VALUES (?, ?)"
        " ON CONFLICT (manifest_id) DO UPDATE SET answers = excluded.answers",
        (found.manifest_id, packed),
    )
    connection.execute("UPDATE manifests SET look_at = NULL WHERE id = ?", (found.manifest_id,))


def look_again(connection: Connection, manifest_id: int) -> None:
    """Have an image looked into as if it was new."""
    connection.execute("DELETE FROM explorations WHERE manifest_id = ?", (manifest_id,))
    connection.execute("UPDATE manifests SET look_at = 0 WHERE id = ?", (manifest_id,))


def _exploration(row: Row) -> Exploration:
    parts = tuple(Digest(one) for one in str(row[8]).split())
    return Exploration(
        row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], parts, row[9]
    )


def find(connection: Connection, manifest_id: int) -> Exploration | None:
    """Give how far an image is; None: nobody looked yet."""
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM explorations WHERE manifest_id = ?",  # noqa: S608 - a constant
        (manifest_id,),
    ).fetchone()
    return _exploration(row) if row else None


def of_tags(
    connection: Connection, repository_id: int, tags: Iterable[Tag]
) -> dict[Digest, Exploration]:
    """Give what was found in the images of a list of tags: a read by key for each."""
    found = {}
    for digest in dict.fromkeys(tag.digest for tag in tags):
        row = connection.execute(
            f"SELECT {_COLUMNS} FROM manifests JOIN explorations ON manifest_id = manifests.id"  # noqa: S608 - a constant
            " WHERE repository_id = ? AND digest = ? AND state = 'done'",
            (repository_id, digest),
        ).fetchone()
        if row is not None:
            found[digest] = _exploration(row)
    return found


def answers(connection: Connection, manifest_id: int) -> bytes | None:
    """Give the answers as they are kept."""
    row = connection.execute(
        "SELECT answers FROM exploration_answers WHERE manifest_id = ?", (manifest_id,)
    ).fetchone()
    return bytes(row[0]) if row else None


def answers_by_part(connection: Connection, part: Digest) -> list[tuple[Exploration, bytes]]:
    """Give a few images of which `part` is a layer's index, and their answers as they are kept."""
    columns = ", ".join(f"explorations.{name}" for name in _COLUMNS.split(", "))
    rows = connection.execute(
        f"SELECT {columns}, answers FROM parts"  # noqa: S608 - constants
        " JOIN manifests AS artifact ON artifact.id = parts.manifest_id"
        " JOIN manifests AS image ON image.repository_id = artifact.repository_id"
        " AND image.digest = artifact.subject"
        " JOIN explorations ON explorations.manifest_id = image.id AND state = 'done'"
        " JOIN exploration_answers ON exploration_answers.manifest_id = image.id"
        " WHERE parts.digest = ? LIMIT 9",
        (part,),
    ).fetchall()
    found = [(_exploration(row), bytes(row[10])) for row in rows]
    # anyone may push an artifact that names what it likes
    return [row for row in found if part in row[0].parts[:-1]]


def index_of(connection: Connection, layer: str) -> Digest | None:
    """Give the blob that is a layer's index, if it is here and well."""
    row = connection.execute(
        "SELECT digest FROM layer_indexes JOIN blobs USING (digest)"
        " WHERE layer = ? AND damage = ''",
        (layer,),
    ).fetchone()
    return Digest(row[0]) if row else None


def note_index(connection: Connection, layer: str, digest: Digest) -> None:
    """Note the index of a layer."""
    connection.execute(
        "INSERT INTO layer_indexes (layer, digest) VALUES (?, ?)"
        " ON CONFLICT (layer) DO UPDATE SET digest = excluded.digest",
        (layer, digest),
    )
