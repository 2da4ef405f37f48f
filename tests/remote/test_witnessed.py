"""A witness hears of every exchange, and of nothing that would let it in."""

import base64

from tests.archives import archive
from tests.commands import Lamina
from tests.servers import HubServer

from lamina.engine.engine import Engine
from lamina.events import (
    Admitted,
    Deed,
    DocumentRead,
    Event,
    Exchanged,
    LayerProgress,
    Noted,
    Phase,
)
from lamina.remote.challenge import Challenge
from lamina.remote.credentials import Credentials
from lamina.remote.messages import Body, Headers, Request, Response
from lamina.remote.witnessed import admitted, exchanged
from lamina.settings import Settings
from lamina.spec.config import ImageConfig
from lamina.spec.manifest import Manifest

PASSWORD = "correct-horse-7"


def test_an_address_that_lets_people_in_is_told_without_its_query():
    signed = "https://me:pw@storage.example/blob?X-Amz-Signature=abc&digest=sha256:1"
    headers = Headers([("Location", signed), ("Set-Cookie", "s=1"), ("Content-Type", "a/b")])
    request = Request("GET", "https://r.example/v2/x/blobs/sha256:1", body=b"four")
    told = exchanged(
        request, {"authorization": "Bearer SECRET"}, Response(307, headers, url=signed)
    )
    assert told.url == "https://storage.example/blob"
    assert told.query == {"digest": "sha256:1"}
    assert told.headers == {"content-type": "a/b", "location": "https://storage.example/blob"}
    assert (told.scheme, told.sent) == ("Bearer", 4)
    assert "SECRET" not in repr(told)
    assert "X-Amz" not in repr(told)


def test_an_upload_without_a_size_is_of_unknown_size_and_a_relative_address_loses_its_query():
    headers = Headers([("Location", "/v2/x/blobs/uploads/1?_state=SECRET")])
    request = Request("PATCH", "http://r.example/v2/x/blobs/uploads/1", body=Body(None, lambda: ()))
    told = exchanged(request, {}, Response(202, headers, url=request.url))
    assert told.sent == -1
    assert told.headers == {"location": "/v2/x/blobs/uploads/1"}


def test_a_token_is_told_without_itself():
    challenge = Challenge("bearer", {"realm": "https://t.example/token?key=SECRET", "service": "s"})
    told = admitted("r.example", challenge, ("repository:x:pull",), Credentials("ada", "pw"), 300)
    assert told == Admitted(
        "r.example", "https://t.example/token", "s", ("repository:x:pull",), "ada", 300
    )
    assert admitted("r", challenge, (), None, 1).account == ""


def test_a_witness_hears_how_a_push_and_a_pull_are_done(
    hub: HubServer, lamina: Lamina, settings: Settings
):
    hub.register("ada", PASSWORD)
    lamina("login", "-u", "ada", "--password-stdin", hub.address, stdin=PASSWORD)
    name = f"{hub.address}/ada/heard:1"
    lamina("load", stdin=archive(name))
    told: list[Event | Deed] = []
    with Engine(settings) as engine:
        engine.witness = told.append
        engine.images.push(name)
        image = engine.images.resolve(name)
    asked = [each for each in told if isinstance(each, Exchanged)]
    heads = [each for each in asked if each.method == "HEAD" and each.status == 404]
    blobs = [image.manifest.config, *image.manifest.layers]
    assert {each.url.rpartition("/")[2] for each in heads} == {str(b.digest) for b in blobs}
    assert asked[0].status == 401
    assert asked[0].headers["www-authenticate"].startswith("Bearer realm=")
    assert asked[-1].method == "PUT"
    assert asked[-1].url.endswith("/v2/ada/heard/manifests/1")
    assert asked[-1].headers["docker-content-digest"] == str(image.manifest.digest)
    [let_in] = [each for each in told if isinstance(each, Admitted)]
    assert (let_in.account, list(let_in.scopes)) == ("ada", ["repository:ada/heard:pull,push"])
    lamina("rmi", "--now", name)
    with Engine(settings) as engine:
        engine.witness = told.append
        engine.images.pull(name)
    read = [each.document for each in told if isinstance(each, DocumentRead)]
    assert [type(each) for each in read] == [Manifest, ImageConfig]
    assert [each.digest for each in read] == [image.manifest.digest, image.id]
    pulled = [e for e in told if isinstance(e, LayerProgress) and e.phase is Phase.PULLED]
    assert len(pulled) == len(image.manifest.layers)
    assert [(e.kind, e.action) for e in told if isinstance(e, Noted)] == [
        ("image", "push"), ("image", "pull"),
    ]  # fmt: skip
    said = repr(told)
    assert PASSWORD not in said
    assert base64.b64encode(f"ada:{PASSWORD}".encode()).decode() not in said
    assert "eyJ" not in said  # how each of the hub's tokens begins
