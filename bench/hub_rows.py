"""The rows of the hub's bench that have a peer: pulls, blobs, uploads; and logins and tokens."""

import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bench.hub_servers import BLOB, MANIFEST, REPOSITORY, Bench, Server

__all__ = [
    "Load",
    "blobs",
    "in_turn",
    "login",
    "pulls",
    "repeated",
    "said",
    "table",
    "tokens",
    "uploads",
]

_LOAD = str(Path(__file__).with_name("hub_load.py"))
_CONNECTIONS = 16
_OURS, _PEER = "lamina", "docker-registry"
_PULLS, _TOKENS_S, _LOGIN = 8.0, 2000.0, 1.3
_BLOB_RATE, _BLOB_CPU = 1.5, 3.0
_LARGE, _SMALL = 1.5, 5.0
_UPLOADING_S = 6.0  # twice the time after which the hub gives small blobs their files
_MB = 1e6
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Load:
    """What one round gave: how many, how many a second, the slowest but one in a hundred, the server's CPU for each."""

    count: int
    rate: float
    p50_s: float
    p99_s: float
    cpu_s: float


def pulls(bench: Bench) -> list[str]:
    """A manifest by tag, its HEAD and a list of 100 tags, by nobody."""
    lines = [f"### Pull: {_CONNECTIONS} connections, one request after the other on each", ""]
    for what, method, path in (
        ("GET of a manifest", "GET", MANIFEST),
        ("HEAD of a manifest", "HEAD", MANIFEST),
        ("tag list", "GET", f"/v2/{REPOSITORY}/tags/list"),
    ):
        found = in_turn(bench, lambda server, m=method, p=path: repeated(bench, server, m, p))
        lines += table(what, found)
        ours, peer = found[_OURS], found[_PEER]
        by = ours.rate / peer.rate
        lines += said(
            f"{what}: lamina ÷ docker-registry {by:.1f} in requests a second, p99 {1000 * ours.p99_s:.1f} and "
            f"{1000 * peer.p99_s:.1f} ms; mark {_PULLS:g} at a better p99",
            by >= _PULLS and ours.p99_s < peer.p99_s,
        )
    return lines


def login(bench: Bench) -> list[str]:
    """The same manifest from a public repository by nobody, and by somebody with a token."""
    server = bench.servers[_OURS]
    status, _, body = server.ask("GET", f"/token?scope=repository:{REPOSITORY}:pull")
    if status != 200:
        raise RuntimeError(f"no token: {status}")
    bearer = f"Bearer {json.loads(body)['token']}"
    who = {"nobody": "", "with a token": bearer}
    found = _rounds(bench, who, lambda line: repeated(bench, server, "GET", MANIFEST, line))
    by = found["with a token"].cpu_s / found["nobody"].cpu_s
    wall = found["nobody"].rate / found["with a token"].rate
    return [
        "### Authorisation",
        "",
        *table("GET of a manifest, lamina", found),
        *said(
            f"A token ÷ none: {by:.2f} in CPU, {wall:.2f} in time; mark {_LOGIN:g}",
            by <= _LOGIN and wall <= _LOGIN,
        ),
    ]


def blobs(bench: Bench) -> list[str]:
    """A blob of 10 MiB, whole; from the page cache."""
    found = in_turn(bench, lambda server: repeated(bench, server, "GET", BLOB, connections=4))
    ours, peer = found[_OURS], found[_PEER]
    by, cpu = ours.rate / peer.rate, peer.cpu_s / ours.cpu_s
    return [
        "### Blobs: 10 MiB, 4 connections",
        "",
        *table("GET of a blob", found),
        *said(
            f"Blob: lamina ÷ docker-registry {by:.2f} in throughput ({ours.rate * 10.48576:.0f} and "
            f"{peer.rate * 10.48576:.0f} MB/s), docker-registry ÷ lamina {cpu:.2f} in CPU; marks {_BLOB_RATE:g} and {_BLOB_CPU:g}",
            by >= _BLOB_RATE and cpu >= _BLOB_CPU,
        ),
    ]


def uploads(bench: Bench) -> list[str]:
    """New blobs by POST and PUT, each durable before its 201."""
    lines = ["### Uploads: POST and PUT, to the 201", ""]
    for what, clients, size, mark in (
        ("64 MiB, one client", 1, 64 << 20, _LARGE),
        ("4 KiB, one client", 1, 4096, _SMALL),
        ("4 KiB, eight clients", 8, 4096, _SMALL),
    ):

        def step(server: Server, clients: int = clients, size: int = size) -> Load:
            words = [
                "upload",
                server.address,
                str(max(bench.seconds, _UPLOADING_S)),
                str(clients),
                str(size),
                REPOSITORY,
            ]
            return _measured(server, words, _bearer(server).encode())

        found = in_turn(bench, step)
        lines += table(what, found)
        by = found[_OURS].rate / found[_PEER].rate
        one, unit = (size / _MB, "MB/s") if size > _MB else (1, "a second")
        rates = " and ".join(f"{found[name].rate * one:.0f}" for name in (_OURS, _PEER))
        lines += said(
            f"{what}: lamina ÷ docker-registry {by:.2f}, {rates} {unit}; mark {mark:g}", by >= mark
        )
    return lines


def _bearer(server: Server) -> str:
    """Give the login of a pusher as docker has it: a token, asked for once."""
    if not server.login:
        return ""
    _, _, body = server.ask("GET", f"/token?scope=repository:{REPOSITORY}:pull,push")
    return f"Bearer {json.loads(body)['token']}"


def tokens(bench: Bench) -> list[str]:
    """Tokens for one repository by name and password, which was checked a moment ago."""
    server = bench.servers[_OURS]
    path = f"/token?service=lamina-hub&scope=repository:{REPOSITORY}:pull"
    rounds = [repeated(bench, server, "GET", path, server.login) for _ in range(bench.times)]
    found = _median(rounds)
    return [
        "### Tokens",
        "",
        *table("token by password", {_OURS: found}),
        *said(
            f"Tokens: {1 / found.cpu_s:.0f} a second and core; mark {_TOKENS_S:.0f}",
            1 / found.cpu_s >= _TOKENS_S,
        ),
    ]


def repeated(
    bench: Bench,
    server: Server,
    method: str,
    path: str,
    authorization: str = "",
    *,
    connections: int = _CONNECTIONS,
) -> Load:
    """Measure one request, asked again and again on some connections."""
    accept = "application/vnd.oci.image.manifest.v1+json, application/json"
    fields = {
        "Host": server.address,
        "User-Agent": "bench",
        "Accept": accept,
        "Authorization": authorization,
    }
    rows = [
        f"{method} {path} HTTP/1.1",
        *(f"{name}: {value}" for name, value in fields.items() if value),
    ]
    words = ["repeat", server.address, str(bench.seconds), str(connections)]
    return _measured(server, words, "\r\n".join([*rows, "", ""]).encode())


def _measured(server: Server, words: list[str], given: bytes) -> Load:
    before = server.cpu_s()
    done = subprocess.run(
        [sys.executable, "-IS", _LOAD, *words], input=given, capture_output=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{server.name}: {done.stderr.decode()[-1000:]}")
    cpu_s = server.cpu_s() - before
    told = json.loads(done.stdout)
    count = told["count"]
    return Load(count, count / told["wall_s"], told["p50_s"], told["p99_s"], cpu_s / count)


def in_turn(bench: Bench, step: Callable[[Server], Load]) -> dict[str, Load]:
    """Measure every server once per round, so that a busy moment hits all; give the medians."""
    return _rounds(bench, bench.servers, step)


def _rounds(bench: Bench, what: dict[str, _T], step: Callable[[_T], Load]) -> dict[str, Load]:
    rounds: dict[str, list[Load]] = {name: [] for name in what}
    for _ in range(bench.times):
        for name, one in what.items():
            rounds[name].append(step(one))
    return {name: _median(loads) for name, loads in rounds.items()}


def _median(loads: list[Load]) -> Load:
    """Give the median of each column; of CPU the least, since others can only add to it."""
    return Load(
        sum(each.count for each in loads),
        statistics.median(each.rate for each in loads),
        statistics.median(each.p50_s for each in loads),
        statistics.median(each.p99_s for each in loads),
        min(each.cpu_s for each in loads),
    )


def table(title: str, found: dict[str, Load]) -> list[str]:
    """Give the figures as a table."""
    rows = [f"| {title} | a second | p50 ms | p99 ms | CPU ms each |", "|---|---|---|---|---|"]
    for name, load in found.items():
        cells = [
            name,
            f"{load.rate:.0f}" if load.rate >= 100 else f"{load.rate:.1f}",
            f"{1000 * load.p50_s:.2f}",
            f"{1000 * load.p99_s:.2f}",
            f"{1000 * load.cpu_s:.3f}",
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return [*rows, ""]


def said(words: str, is_reached: bool) -> list[str]:
    """Say a verdict, and give it as a paragraph."""
    text = f"{words}: {'reached' if is_reached else '**missed**'}."
    print(f"  {text}", flush=True)
    return [text, ""]
