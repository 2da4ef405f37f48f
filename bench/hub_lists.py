"""The rows of the hub's bench without a peer: long lists, memory, start."""

import sqlite3
import statistics
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from bench.hub_rows import said
from bench.hub_servers import REPOSITORY, Bench, Server, hub_at
from bench.surroundings import drop_caches

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["lists", "process"]

_MANY = 100_000
_LIST_S = 0.1
_TIMES = 9
_IDLE_MB, _START_S = 80.0, 1.0
_REPOSITORIES = """
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)
INSERT INTO repositories (name, namespace, created_at, updated_at)
SELECT printf('many%02d/app%05d', n % 50, n), printf('many%02d', n % 50), n, n FROM numbers
"""
_CONTENT = """
INSERT INTO manifests (repository_id, digest, media_type, raw, content_size, pushed_at, pushed_by)
SELECT repositories.id, digest, media_type, raw, content_size, repositories.created_at, 'bench'
FROM repositories, (SELECT * FROM manifests WHERE repository_id = ? LIMIT 1)
WHERE repositories.name LIKE 'many%'
"""
_TAGS = """
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)
INSERT INTO tags (repository_id, name, manifest_id, pushed_at, pushed_by)
SELECT ?, printf('t%06d', n), ?, n, 'bench' FROM numbers
"""


def lists(bench: Bench) -> list[str]:
    """100,000 repositories, one of them with 100,000 tags: each page of a list, never asked for before."""
    with hub_at(bench.disk / "many", "many") as server:
        server.push_image()
        _fill(server.folder / "hub.db")
        asked: dict[str, Callable[[int], str]] = {
            "catalog, 100 from the middle": lambda n: (
                f"/v2/_catalog?n=100&last=many25/app{50_000 + n}"
            ),
            "catalog, first 1,000": lambda n: f"/v2/_catalog?n=1000&x={n}",
            "tags, first 1,000": lambda n: f"/v2/{REPOSITORY}/tags/list?n=1000&x={n}",
            "tags, 1,000 from the middle": lambda n: (
                f"/v2/{REPOSITORY}/tags/list?n=1000&last=t0{50_000 + n}"
            ),
            "page of the repository": lambda n: f"/{REPOSITORY}?x={n}",
            "page 1,000 of its tags": lambda n: f"/{REPOSITORY}?page={1_000 + n}",
            "front page": lambda n: f"/?x={n}",
            "page of a namespace of 2,000": lambda n: f"/many{n:02}",
            "search for one of them": lambda n: f"/?q=app{50_000 + n}",
            "search for many of them": lambda n: f"/?q=app&x={n}",
            "page 3,300 of that search": lambda n: f"/?q=app&page={3_300 + n}",
            "search for none of them": lambda n: f"/?q=none{n}",
        }
        rows = [
            f"| {_MANY:,} repositories, {_MANY:,} tags | median ms | slowest ms |",
            "|---|---|---|",
        ]
        worst, slow = 0.0, []
        for what, path in asked.items():
            took = [_took_s(server, path(number)) for number in range(1, 1 + _TIMES)]
            middle = statistics.median(took)
            rows.append(f"| {what} | {1000 * middle:.1f} | {1000 * max(took):.1f} |")
            print(f"  {what}: {1000 * middle:.1f} ms", flush=True)
            worst = max(worst, middle)
            slow += [what] * (middle >= _LIST_S)
        words = f" ({', '.join(slow)})" if slow else ""
        verdict = said(
            f"The slowest list takes {1000 * worst:.0f} ms{words}; mark {1000 * _LIST_S:.0f} ms",
            not slow,
        )
    return ["### Long lists", "", *rows, "", *verdict]


def _fill(path: Path) -> None:
    with closing(sqlite3.connect(path, timeout=60)) as database, database:
        found = database.execute(
            "SELECT repository_id, manifests.id FROM manifests JOIN repositories"
            " ON repositories.id = repository_id WHERE name = ?",
            (REPOSITORY,),
        ).fetchone()
        database.execute(_REPOSITORIES, (_MANY,))
        database.execute(_CONTENT, found[:1])
        database.execute(_TAGS, (_MANY, *found))


def _took_s(server: Server, path: str) -> float:
    began = time.perf_counter()
    status, _, body = server.ask("GET", path)
    took_s = time.perf_counter() - began
    if status != 200:
        raise RuntimeError(f"{path}: {status} {body[:200]!r}")
    return took_s


def process(bench: Bench) -> list[str]:
    """A hub from nothing until it listens, and what it holds when it has nothing to do."""
    starts: dict[str, list[float]] = {"warm": [], "cold": []}
    held: list[float] = []
    for number in range(bench.times):
        for state, took in starts.items():
            if state == "cold":
                drop_caches()
            began = time.perf_counter()
            with hub_at(bench.disk / f"{state}{number}", f"{state}{number}") as server:
                took.append(time.perf_counter() - began)
                for path in ("/", "/v2/", "/healthz"):
                    server.ask("GET", path, Authorization="")
                held.append(_resident_mb(server))
    after = _resident_mb(bench.servers["lamina"])
    medians = {state: statistics.median(took) for state, took in starts.items()}
    idle = statistics.median(held)
    return [
        "### The process",
        "",
        *said(
            f"Start on an empty folder to the first account registered: {medians['warm']:.2f} s, with nothing of it in memory "
            f"{medians['cold']:.2f} s; mark {_START_S:g} s",
            max(medians.values()) < _START_S,
        ),
        *said(
            f"Resident when idle: {idle:.0f} MB, after the rows above {after:.0f} MB; mark {_IDLE_MB:.0f} MB",
            idle < _IDLE_MB,
        ),
    ]


def _resident_mb(server: Server) -> float:
    """Give what the server's processes hold in memory, pages that several share counted once."""
    total = 0
    for pid in (server.account / "cgroup.procs").read_text().split():
        rows = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        total += next(int(row.split()[1]) for row in rows if row.startswith("Rss:"))
    return total / 1024
