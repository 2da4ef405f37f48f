"""The hub as its own description has it: whatever is sent, no fault of ours and no answer outside it.

The requests are made by schemathesis from `/api/openapi.json`: what it lets expect, and what it does not.
"""

import contextlib
import copy
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.hub.clients import PASSWORD, Client, digest
from tests.soaking import sized

from lamina.hub import Hub, HubSettings
from lamina.hub.api.openapi import OPERATIONS, description

CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance,
    response_headers_conformance, response_schema_conformance,
]  # fmt: skip
KNOWN: dict[str, list[Any]] = {
    "name": ["alice/app", "alice/none", "bob/hidden", "bot"],
    "org": ["team", "none"], "team": ["devs"], "account": ["bob", "alice", "nobody"],
    "holder": ["bob", "devs"], "namespace": ["alice", "team", "bob"],
    "reference": ["v1", "none", digest(b"no")], "image": ["v1", "none", digest(b"no")], "digest": [digest(b"one top" * 20), digest(b"no")],
    "target": ["alice/app", "alice", "hub", "team"], "scope": ["alice/app", "alice"],
    "mount": [digest(b"one top" * 20)], "from": ["alice/app"], "last": ["a"], "n": [0, 1, 5],
    "grant_type": ["password", "refresh_token"], "username": ["alice"], "password": [PASSWORD],
    "events": ["push"], "upstream": ["127.0.0.1:9"], "source": ["127.0.0.1:9/a/b"], "url": ["https://127.0.0.1:9/hook"],
}  # fmt: skip


LOGINS = [
    "alice",
    "chief",
    "",
    "nobody",
    "Bearer x.y.z",
    "Bearer lamina_pat_x",
    "Basic x",
    "Other x",
]


def schema_of(text: Any, known: list[Any]) -> Any:
    """Have about half of the values be ones that are there."""
    return {"anyOf": [{"enum": known}, text]}


def knowing(document: dict[str, Any]) -> dict[str, Any]:
    """Give the description with values in it that this hub knows."""
    whole = copy.deepcopy(document)
    for operation in (each for path in whole["paths"].values() for each in path.values()):
        for parameter in operation.get("parameters", ()):
            if parameter["name"] in KNOWN:
                parameter["schema"] = schema_of(parameter["schema"], KNOWN[parameter["name"]])
        for content in operation.get("requestBody", {}).get("content", {}).values():
            fields = content["schema"].get("properties", {})
            for name in set(fields) & set(KNOWN) - {"name", "last"}:
                if fields[name] == {"type": "string"}:
                    fields[name] = schema_of(fields[name], KNOWN[name])
    return whole


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A hub with somebody, an organisation and an image; wrong passwords do not make it wait."""
    hub_settings = HubSettings(
        root=str(tmp_path_factory.mktemp("hub")), port=0, shutdown_s=2.0,
        account_failures=10**9, address_failures=10**9,
    )  # fmt: skip
    with Hub(settings=hub_settings) as hub:
        for name in ("chief", "alice", "bob"):
            hub.register(name, PASSWORD)
        alice, bob = Client(hub.address, "alice"), Client(hub.address, "bob")
        alice.image("alice/app")
        bob.image("bob/hidden")
        body = b'{"name": "team"}'
        alice.request("POST", "/api/v1/orgs", body, Content_Type="application/json")
        yield hub


@pytest.fixture(scope="module")
def operations(served):
    """Every operation, by name."""
    found = Client(served.address).get("/api/openapi.json")
    assert found.json == description()
    schema = schemathesis.openapi.from_dict(knowing(dict(found.json)))
    made = [each.ok() for each in schema.get_all_operations() if isinstance(each, Ok)]
    return {f"{each.method} {each.path}": each for each in made}


NAMES = [f"{each.method} {each.path}" for each in OPERATIONS]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_sent_by_the_description_is_answered_by_it(served, operations, name):
    operation = operations[name]
    modes = [operation.as_strategy()]
    with contextlib.suppress(Exception):  # nothing that could be wrong
        modes.append(operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE))

    @settings(
        max_examples=sized(4, 400),
        deadline=None,
        database=None,
        derandomize=sized(1, 0) == 1,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.one_of(modes), st.sampled_from(LOGINS))
    def work(case, who) -> None:
        send(served, case, who)

    work()


def send(served: Hub, case: Any, who: str) -> None:
    case.headers = {**(case.headers or {})}
    case.headers.pop("Authorization", None)
    if " " in who:
        case.headers["Authorization"] = who
    elif who:
        case.headers.update(Client(served.address, who).headers({}))
    response = case.call(base_url=served.url, allow_redirects=False)
    case.validate_response(response, checks=CHECKS)
