"""`lamina hub robot`."""

import json

from tests.cli.commands.hub_logins import hub, login
from tests.hub.clients import Client

__all__ = ["hub", "login"]


def test_a_robots_token_is_on_stdout_alone_and_ends_when_it_is_renewed_or_revoked(login, hub):
    robot = login("alice", "robot")
    code, out, err = robot("create", "alice+ci", "--only", "alice/app", "--expires", "0")
    assert (code, out.startswith("lamina_robot_"), out.count("\n")) == (0, True, 1)
    assert "not shown again" in err
    holder = Client(hub.address, "alice+ci", out.strip())
    holder.image("alice/app")
    row = robot("ls", "alice")[1].splitlines()[1].split()
    assert (row[:3], row[-1]) == (["alice+ci", "pull,push", "alice/app"], "never")
    assert json.loads(robot("ls", "alice", "--json")[1])[0]["created_by"] == "alice"
    code, fresh, err = robot("renew", "alice+ci")
    assert (code, "Renewed alice+ci" in err) == (0, True)
    assert holder.get("/v2/").status == 401
    holder = Client(hub.address, "alice+ci", fresh.strip())
    assert holder.get("/v2/").status == 200
    assert robot("rm", "alice+ci") == (0, "alice+ci\n", "")
    assert holder.get("/v2/").status == 401
    assert robot("ls", "-q", "alice") == (0, "", "")


def test_what_is_no_robot_or_not_yours_is_said(login):
    robot = login("alice", "robot")
    assert "a robot is NAMESPACE+NAME" in robot("create", "ci")[2]
    assert "only owners of bob" in robot("create", "bob+ci")[2]
    assert "has no robot" in robot("rm", "alice+none")[2]
    assert "is not known" in robot("make", "alice+ci")[2]
