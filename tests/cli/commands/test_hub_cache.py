"""`lamina hub cache`, as an admin with the login that `lamina login` keeps."""

import io
import json

import pytest
from tests.hub.clients import PASSWORD

from lamina.cli.context import Context
from lamina.cli.main import main
from lamina.hub import Hub


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    with Hub(root=str(tmp_path_factory.mktemp("hub"))) as hub:
        for name in ("chief", "alice"):
            hub.register(name, PASSWORD)
        yield hub


@pytest.fixture
def cache(tmp_path, hub):
    def run(*words: str, name: str = "chief", stdin: str = "") -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        environ = {
            "LAMINA_ROOT": str(tmp_path),
            "HOME": str(tmp_path),
            "DOCKER_CONFIG": str(tmp_path / name),
        }
        context = Context(out=out, err=err, stdin=io.StringIO(stdin), environ=environ)
        return main([*words], context), out.getvalue(), err.getvalue()

    for name in ("chief", "alice"):
        words = ("login", "-u", name, "--password-stdin", hub.address)
        assert run(*words, name=name, stdin=PASSWORD)[0] == 0
    return lambda *words, **more: run("hub", "cache", "--hub", hub.address, *words, **more)


def test_a_cache_is_made_listed_and_removed(cache):
    words = ("create", "quay", "quay.io/team", "--private", "-u", "me", "--password-stdin")
    code, out, err = cache(*words, "--fresh", "60", stdin="secret words\n")
    assert (code, out) == (0, "quay\n")
    assert "quay stands for quay.io/team now" in err
    header, row = cache("ls")[1].splitlines()
    assert header.split()[:3] == ["NAMESPACE", "STANDS", "FOR"]
    assert row.split() == ["quay", "quay.io/team", "members", "60", "s", "30", "days"]
    (listed,) = json.loads(cache("ls", "--json")[1])
    assert (listed["username"], "password" in listed) == ("me", False)
    assert cache("rm", "quay") == (0, "quay\n", "")
    assert cache("ls", "-q")[1] == ""


def test_who_is_no_admin_makes_none_and_what_is_wrong_is_said(cache):
    assert cache("create", "up", "docker.io", name="alice")[0] == 1
    code, out, err = cache("create", "up", "http://registry.example")
    assert (code, out, "without http://" in err) == (1, "", True)
    assert "use 'lamina hub cache ls'" in cache("frobnicate")[2]
