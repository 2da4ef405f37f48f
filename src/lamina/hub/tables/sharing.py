"""Which repositories have a layer in common, of those their reader may see."""

from collections.abc import Iterable

from lamina.hub.database import Connection
from lamina.hub.tables.roles import MAY_READ, Reader, reader_values
from lamina.spec.digest import Digest

__all__ = ["sharers"]

_NEAR = 500


def sharers(
    connection: Connection,
    digests: Iterable[Digest],
    *,
    repository_id: int,
    reader: Reader,
    limit: int,
) -> dict[Digest, tuple[str, ...]]:
    """Give, for each of `digests`, other repositories with an image that has it; `limit` at most.

    Only those that `reader` may see: that a private image has a layer in common is private, too.
    Costs a statement per digest, and looks at a few hundred repositories for each.
    """
    found: dict[Digest, tuple[str, ...]] = {}
    for digest in digests:
        rows = connection.execute(
            "SELECT repositories.name FROM (SELECT repository_id FROM links WHERE digest = ?"  # noqa: S608 - constants
            f" AND repository_id <> ? AND loose_at IS NULL LIMIT {_NEAR}) AS near"
            " JOIN repositories ON repositories.id = near.repository_id"
            f" WHERE {MAY_READ} ORDER BY pulls DESC, repositories.name LIMIT ?",
            (digest, repository_id, *reader_values(reader), limit),
        ).fetchall()
        if rows:
            found[digest] = tuple(row[0] for row in rows)
    return found
