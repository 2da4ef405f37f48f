"""What the hub counts while it runs, and how Prometheus reads it.

Counters belong to one process and begin at 0 with it, as Prometheus expects; with replicas each is
scraped by itself. Spec: Prometheus text exposition format, version 0.0.4.
"""

import os
import resource
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping

from lamina import __version__
from lamina.hub.collect import Collected
from lamina.hub.retention import Retired
from lamina.hub.scrub import Scrubbed

__all__ = ["CONTENT_TYPE", "Metrics", "family"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS = (0.001, 0.0025, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0, 60.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_OUTCOMES = ("delivered", "retried", "failed")
_Sample = tuple[str, Mapping[str, str], float]


class _Histogram:
    """How many took how long; each time falls into one bucket here and is summed up on reading."""

    __slots__ = ("counts", "total_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(_BUCKETS) + 1)
        self.total_s = 0.0

    def add(self, took_s: float) -> None:
        self.counts[bisect_left(_BUCKETS, took_s)] += 1
        self.total_s += took_s


class Metrics:
    """Counts of one process. Only the event loop's thread may call it; a call costs microseconds.

    `route` is a kind of path (`manifest`, `blob`, `page` …), never a path: the number of series stays
    small whatever clients ask for.
    """

    def __init__(self) -> None:
        self.in_flight = 0
        self.sweep_failures = 0
        self._began_at = time.time()
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._times: dict[str, _Histogram] = {}
        self._sent: Counter[str] = Counter()
        self._received: Counter[str] = Counter()
        self._collected = Collected()
        self.deliveries: Counter[str] = Counter()
        """Tries of webhooks' deliveries: delivered, retried, failed."""
        self._retired_tags = self._retired_manifests = 0
        self._scrubbed = Scrubbed()

    def count(
        self, *, method: str, route: str, status: int, took_s: float, received: int, sent: int
    ) -> None:
        """Count one request that ended; `received` and `sent` are bytes of bodies."""
        self._requests[method if method in _METHODS else "other", route, status] += 1
        if route not in self._times:
            self._times[route] = _Histogram()
        self._times[route].add(took_s)
        self._received[route] += received
        self._sent[route] += sent

    def count_sweep(self, collected: Collected) -> None:
        """Count what a sweep removed."""
        self._collected += collected

    def count_scrubbed(self, scrubbed: Scrubbed) -> None:
        """Count what was read again."""
        known = self._scrubbed
        self._scrubbed = Scrubbed(
            known.blobs + scrubbed.blobs,
            known.size + scrubbed.size,
            known.found + scrubbed.found,
            scrubbed.damaged,
        )

    def count_retired(self, retired: Retired) -> None:
        """Count what retention took."""
        self._retired_tags += retired.tags
        self._retired_manifests += retired.manifests

    def render(self, *, uploads: int, free: int | None) -> str:
        """Give all of it as text; `uploads` are being received, `free` bytes are left on the disk."""
        families = [
            family("lamina_hub_info", "gauge", "Version", [("", {"version": __version__}, 1)]),
            family("lamina_hub_requests_total", "counter", "Requests answered", self._totals()),
            family("lamina_hub_request_seconds", "histogram", "Time to the last byte of an answer",
                    self._histograms()),
            family("lamina_hub_requests_in_flight", "gauge", "Requests being answered",
                    [("", {}, self.in_flight)]),
            family("lamina_hub_received_bytes_total", "counter", "Bytes of requests' bodies",
                    _by_route(self._received)),
            family("lamina_hub_sent_bytes_total", "counter", "Bytes of answers' bodies",
                    _by_route(self._sent)),
            family("lamina_hub_uploads", "gauge", "Uploads being received by this process",
                    [("", {}, uploads)]),
            *self._swept(),
            family("lamina_hub_webhook_deliveries_total", "counter", "Tries to tell webhooks",
                    [("", {"outcome": each}, self.deliveries[each]) for each in _OUTCOMES]),
        ]  # fmt: skip
        if free is not None:
            text = "Bytes free where images are kept"
            families.append(family("lamina_hub_free_bytes", "gauge", text, [("", {}, free)]))
        families += _process(self._began_at)
        return "".join(families)

    def _totals(self) -> Iterable[_Sample]:
        for (method, route, status), count in sorted(self._requests.items()):
            yield "", {"method": method, "route": route, "code": str(status)}, count

    def _histograms(self) -> Iterable[_Sample]:
        for route, found in sorted(self._times.items()):
            below = 0
            for limit, count in zip((*map(str, _BUCKETS), "+Inf"), found.counts, strict=True):
                below += count
                yield "_bucket", {"route": route, "le": limit}, below
            yield "_sum", {"route": route}, found.total_s
            yield "_count", {"route": route}, below

    def _swept(self) -> Iterable[str]:
        gone = self._collected
        rows = (
            ("manifests", "Manifests that sweeps removed", gone.manifests),
            ("blobs", "Blobs that sweeps removed", gone.blobs),
            ("bytes", "Bytes of blobs that sweeps removed", gone.size),
            ("uploads", "Uploads that sweeps gave up", gone.uploads),
            ("failures", "Sweeps that failed", self.sweep_failures),
        )
        for name, text, value in rows:
            yield family(f"lamina_hub_swept_{name}_total", "counter", text, [("", {}, value)])
        read = self._scrubbed
        looked = (
            ("blobs", "Blobs that were read again", read.blobs),
            ("bytes", "Bytes of blobs that were read again", read.size),
            ("damaged", "Blobs that were found damaged or missing", read.found),
        )
        for name, text, value in looked:
            yield family(f"lamina_hub_scrubbed_{name}_total", "counter", text, [("", {}, value)])
        text = "Blobs that are damaged or missing, as this process last saw"
        yield family("lamina_hub_damaged_blobs", "gauge", text, [("", {}, read.damaged)])
        retired = (("tags", self._retired_tags), ("manifests", self._retired_manifests))
        for name, value in retired:
            text = f"{name.capitalize()} that retention took"
            yield family(f"lamina_hub_retired_{name}_total", "counter", text, [("", {}, value)])


def _by_route(counts: Mapping[str, int]) -> Iterable[_Sample]:
    return (("", {"route": route}, count) for route, count in sorted(counts.items()))


def _process(began_at: float) -> Iterable[str]:
    """Give what every client library of Prometheus gives, by the same names."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used_s = usage.ru_utime + usage.ru_stime
    yield family("process_cpu_seconds_total", "counter", "User and system time", [("", {}, used_s)])
    yield family(
        "process_start_time_seconds", "gauge", "Start since the epoch", [("", {}, began_at)]
    )
    if os.path.exists("/proc/self/statm"):
        with open("/proc/self/statm", encoding="ascii") as file:
            resident = int(file.read().split()[1]) * resource.getpagesize()
        yield family(
            "process_resident_memory_bytes", "gauge", "Resident memory", [("", {}, resident)]
        )
        count = len(os.listdir("/proc/self/fd"))
        yield family("process_open_fds", "gauge", "Open file descriptors", [("", {}, count)])
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    yield family("process_max_fds", "gauge", "Most file descriptors", [("", {}, limit)])


def family(name: str, kind: str, text: str, samples: Iterable[_Sample]) -> str:
    """Give one metric with all its samples as Prometheus reads it."""
    lines = [f"# HELP {name} {text}.", f"# TYPE {name} {kind}"]
    for suffix, labels, value in samples:
        inside = ",".join(f'{key}="{_escaped(word)}"' for key, word in labels.items())
        lines.append(f"{name}{suffix}{{{inside}}} {value}" if inside else f"{name}{suffix} {value}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
