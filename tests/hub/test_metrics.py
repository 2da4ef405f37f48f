"""What the hub counts, as Prometheus reads it."""

import re

from lamina.hub.collect import Collected
from lamina.hub.metrics import Metrics
from lamina.hub.scrub import Scrubbed

LINE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="[^"]*",?)*)\})? (\S+)')


def read(text: str) -> dict[str, float]:
    """Give each sample by name and labels; every line must be one that Prometheus takes."""
    found: dict[str, float] = {}
    typed: set[str] = set()
    for line in text.splitlines():
        if line.startswith("# "):
            typed.add(line.split()[2])
            continue
        match = LINE.fullmatch(line)
        assert match is not None, line
        assert match[1] in typed or re.sub("_(bucket|sum|count)$", "", match[1]) in typed
        name = f"{match[1]}{{{match[2]}}}" if match[2] else match[1]
        assert name not in found
        found[name] = float(match[3])
    return found


def count(metrics: Metrics, took_s: float, *, method: str = "GET", status: int = 200) -> None:
    metrics.count(method=method, route="blob", status=status, took_s=took_s, received=3, sent=5)


def test_requests_are_counted_by_method_route_and_status():
    metrics = Metrics()
    count(metrics, 0.1)
    count(metrics, 0.1)
    count(metrics, 0.1, status=404)
    found = read(metrics.render(uploads=2, free=7))
    assert found['lamina_hub_requests_total{method="GET",route="blob",code="200"}'] == 2
    assert found['lamina_hub_requests_total{method="GET",route="blob",code="404"}'] == 1
    assert found['lamina_hub_received_bytes_total{route="blob"}'] == 9
    assert found['lamina_hub_sent_bytes_total{route="blob"}'] == 15
    assert (found["lamina_hub_uploads"], found["lamina_hub_free_bytes"]) == (2, 7)


def test_buckets_hold_all_that_took_no_longer_and_end_with_the_count():
    metrics = Metrics()
    for took_s in (0.001, 0.002, 5.0, 1000.0):
        count(metrics, took_s)
    found = read(metrics.render(uploads=0, free=None))
    name = 'lamina_hub_request_seconds_bucket{route="blob",le="%s"}'
    assert [found[name % limit] for limit in ("0.001", "0.0025", "2.5", "10.0", "60.0", "+Inf")] == [
        1, 2, 2, 3, 3, 4,
    ]  # fmt: skip
    assert found['lamina_hub_request_seconds_count{route="blob"}'] == 4
    assert found['lamina_hub_request_seconds_sum{route="blob"}'] == 1005.003
    assert "lamina_hub_free_bytes" not in found


def test_a_method_that_a_client_made_up_makes_no_series():
    metrics = Metrics()
    for number in range(100):
        count(metrics, 0.1, method=f"M{number}")
    rows = [line for line in metrics.render(uploads=0, free=None).splitlines() if "other" in line]
    assert rows == ['lamina_hub_requests_total{method="other",route="blob",code="200"} 100']


def test_sweeps_and_the_process_are_told_of():
    metrics = Metrics()
    metrics.count_sweep(Collected(manifests=1, blobs=2, size=300, uploads=4))
    metrics.count_sweep(Collected(blobs=1, size=1))
    found = read(metrics.render(uploads=0, free=None))
    assert found["lamina_hub_swept_blobs_total"] == 3
    assert found["lamina_hub_swept_bytes_total"] == 301
    assert found["process_resident_memory_bytes"] > 1_000_000
    assert found["process_open_fds"] < found["process_max_fds"]


def test_what_was_read_again_adds_up_and_the_damage_is_the_last_that_was_seen():
    metrics = Metrics()
    metrics.count_scrubbed(Scrubbed(blobs=3, size=300, found=1, damaged=1))
    metrics.count_scrubbed(Scrubbed(blobs=2, size=100, found=0, damaged=0))
    text = metrics.render(uploads=0, free=None)
    assert "lamina_hub_scrubbed_blobs_total 5\n" in text
    assert "lamina_hub_scrubbed_bytes_total 400\n" in text
    assert "lamina_hub_scrubbed_damaged_total 1\n" in text
    assert "lamina_hub_damaged_blobs 0\n" in text
