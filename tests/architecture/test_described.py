"""Every route of the hub's interfaces has its operation in the OpenAPI description, and none has one without."""

import re
from typing import Any, cast

import pytest

from lamina.hub.api.openapi import OPERATIONS, description
from lamina.hub.app import create_app
from lamina.hub.v2.routes import PATHS

WHERE = "describe it in src/lamina/hub/api/described"
PARTS = ("/api/", "/v1/", "/token", "/.well-known/", "/healthz", "/readyz", "/metrics")


def routes() -> set[tuple[str, str]]:
    """Method and path of each, as the description writes them."""
    app = create_app(cast("Any", None))  # only routes are made; nothing is asked of them
    found = set()
    for route in app.router.routes():
        path = route.resource.canonical if route.resource else ""
        if path.startswith(PARTS) and route.method not in ("HEAD", "*"):
            found.add((route.method.lower(), path))
    for pattern, methods in PATHS:
        path = pattern.replace("(.+)", "{name}").replace("([^/]+)", "{last}").replace("/?", "/")
        found |= {(method.lower(), path) for method in methods}
    return found | {("get", "/v2/")}


def described() -> set[tuple[str, str]]:
    last = re.compile(r"/\{(?:reference|digest|upload)\}$")
    return {(each.method, last.sub("/{last}", each.path)) for each in OPERATIONS}


def test_each_route_is_described_and_nothing_else_is():
    missing, made_up = routes() - described(), described() - routes()
    assert not missing, f"{WHERE}: {sorted(missing)}"
    assert not made_up, f"no such routes: {sorted(made_up)}"


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: f"{each.method} {each.path}")
def test_an_operation_says_what_it_is_and_what_comes_when_it_fails(operation):
    assert operation.summary[0].isupper()
    assert not operation.summary.endswith(".")
    assert len(operation.answers) >= 1
    if operation.login:
        assert {401, 429} <= set(operation.errors)


def test_no_operation_is_written_twice():
    names = [(each.method, each.path) for each in OPERATIONS]
    assert len(names) == len(set(names))
    paths = cast("dict[str, object]", description()["paths"])
    assert sum(len(cast("dict[str, object]", each)) for each in paths.values()) == len(names)
