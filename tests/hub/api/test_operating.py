"""What balancers and Prometheus ask."""

import urllib.request

import pytest
from tests.hub.clients import Client

from lamina.hub import Hub, HubSettings


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    settings = HubSettings(
        root=str(tmp_path_factory.mktemp("hub")),
        port=0,
        shutdown_s=1,
        metrics="127.0.0.1:0",
        metrics_token="a long token",
    )
    with Hub(settings=settings) as hub:
        yield hub


def test_who_stops_is_alive_but_not_ready(watched):
    client = Client(watched.address)
    assert (client.get("/readyz").status, client.get("/readyz").text) == (200, "ok\n")
    watched.services.readiness.is_stopping = True
    answer = client.get("/readyz")
    assert (answer.status, answer.json) == (503, {"hub": "it is stopping"})
    assert client.get("/healthz").status == 200
    watched.services.readiness.is_stopping = False


def test_metrics_are_for_who_brings_the_token(watched, nobody):
    client = Client(watched.address)
    for given in ("", "Bearer wrong", "Basic a long token", "Bearer", "Bearer \u00e9"):
        answer = client.get("/metrics", **({"Authorization": given} if given else {}))
        assert (answer.status, answer.headers["www-authenticate"]) == (
            401,
            'Bearer realm="metrics"',
        )
    answer = client.with_token("a long token").get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert 'lamina_hub_requests_total{method="GET",route="metrics",code="401"} 5' in answer.text
    assert nobody.with_token("a long token").get("/metrics").status == 404


def test_an_address_of_its_own_has_metrics_and_probes_and_nothing_else(watched):
    with urllib.request.urlopen(watched.metrics_url, timeout=60) as answer:
        assert b"lamina_hub_free_bytes" in answer.read()
    client = Client(watched.metrics_url.split("/")[2])
    assert [client.get(path).status for path in ("/readyz", "/healthz", "/v2/", "/")] == [
        200, 200, 404, 404,
    ]  # fmt: skip
