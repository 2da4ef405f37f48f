"""`lamina hub rotate-keys`, beside a hub that runs."""

import io

from tests.hub.clients import PASSWORD, Client

from lamina.cli.context import Context
from lamina.cli.main import main
from lamina.hub import Hub


def run(tmp_path, *words: str) -> tuple[int, str]:
    out = io.StringIO()
    environ = {"LAMINA_ROOT": str(tmp_path), "HOME": str(tmp_path)}
    code = main(["hub", "rotate-keys", *words], Context(out=out, err=out, environ=environ))
    return code, out.getvalue()


def test_a_key_is_changed_and_nobody_is_logged_out_unless_it_is_said(tmp_path):
    with Hub(root=str(tmp_path / "hub")) as hub:
        hub.register("alice", PASSWORD)
        alice = Client(hub.address, "alice")
        holder = alice.with_token(str(alice.get_token().json["token"]))
        code, out = run(tmp_path)
        assert (code, "go on until" in out) == (0, True)
        hub.services.look_for_keys()
        assert len(alice.get("/.well-known/jwks.json").json["keys"]) == 2
        assert holder.get("/v2/").status == 200
        code, out = run(tmp_path, "--at-once")
        assert (code, "are over" in out) == (0, True)
        hub.services.look_for_keys()
        assert holder.get("/v2/").status == 401


def test_where_no_hub_was_that_is_told(tmp_path):
    code, out = run(tmp_path)
    assert (code, "no hub was ever served" in out) == (1, True)
