"""Runs of mirroring rules against another hub, Debian's docker-registry and one of bad manners."""

import os
import subprocess
import threading
from functools import partial

import pytest
from tests.hub.clients import PASSWORD, Client, digest, document
from tests.hub.hostile import Hostile, Reply
from tests.images import Piece, tar, write_layout

from lamina.hub import Hub, HubSettings
from lamina.hub.access import Caller
from lamina.hub.services import Services
from lamina.hub.tables import accounts

CHIEF = Caller("chief", is_admin=True)
_PATIENCE_S = 60


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """The registry that is copied from."""
    with Hub(root=str(tmp_path_factory.mktemp("origin"))) as origin:
        origin.register("team", PASSWORD)
        yield origin


@pytest.fixture(scope="module")
def team(origin):
    return Client(origin.address, "team")


def open_services(root, **more):
    """Open a hub that does nothing by itself: runs begin when the test says so."""
    services = Services.open(HubSettings(root=str(root), **more))
    for name in ("chief", "mine"):
        if services.accounts.find(name) is None:
            services.database.write(partial(accounts.add, name=name, password="", now=0.0))
    return services


@pytest.fixture
def services(tmp_path):
    services = open_services(tmp_path / "hub")
    yield services
    services.close()


def rule(services, upstream, name="team/app", *, target="mine/app", **more):
    address = getattr(upstream, "address", upstream)
    return services.mirrors.create(CHIEF, target, f"{address}/{name}", **more)


def go(services, made=None):
    """Run what is due, now if it is `made`; give its last run."""
    if made is not None:
        services.mirrors.run_now(CHIEF, made.id)
    assert services.mirroring.begin_due() == 1
    services.mirroring.wait()
    for each, run in services.mirrors.all(CHIEF):
        if made is None or each.id == made.id:
            return run
    raise AssertionError


def tags_of(services, name="mine/app"):
    return services.registry.tag_names(CHIEF, name, last="", limit=100)


def numbers(run):
    return (run.copied, run.same, run.removed, run.failed)


def test_tags_that_fit_are_copied_then_what_changed_and_nothing_again(services, team, origin):
    for tag in ("v1", "v2", "nightly"):
        team.image("team/fits", tag, seed=tag)
    made = rule(services, origin, "team/fits", tags=("v*",), every_hours=6)
    run = go(services)
    assert (run.state, numbers(run)) == ("done", (2, 0, 0, 0))
    assert run.size > 1000
    assert tags_of(services) == ("v1", "v2")
    log = services.mirrors.get(CHIEF, made.id)[1][0].log
    assert "has 3 tags, 2 of them fit" in log
    assert "v1: copied sha256:" in log
    again = go(services, made)
    assert (again.state, numbers(again), again.size) == ("done", (0, 2, 0, 0), 0)
    moved = team.image("team/fits", "v1", seed="other")
    assert numbers(go(services, made)) == (1, 1, 0, 0)
    found = services.registry.manifest(CHIEF, "mine/app", "v1", is_pull=False)
    assert (found.digest, found.pushed_by) == (moved, "chief")
    kept = services.mirrors.get(CHIEF, made.id)[0]
    assert 5.9 * 3600 < kept.next_at - services.clock() <= 6 * 3600
    assert services.mirroring.begin_due() == 0


def test_what_is_gone_there_goes_here_where_the_rule_says_so_and_fits(services, team, origin):
    for tag in ("v1", "v2", "other"):
        team.image("team/goes", tag, seed=tag)
    keeps = rule(services, origin, "team/goes", target="mine/keeps")
    assert go(services, keeps).copied == 3
    removes = rule(services, origin, "team/goes", target="mine/removes", deletes=True)
    assert go(services, removes).copied == 3
    services.mirrors.remove(CHIEF, keeps.id)
    narrow = rule(services, origin, "team/goes", target="mine/removes", tags=("x*",), deletes=True)
    team.request("DELETE", "/v2/team/goes/manifests/v1")
    assert numbers(go(services, narrow)) == (0, 0, 0, 0)
    assert numbers(go(services, removes)) == (0, 2, 1, 0)
    assert tags_of(services, "mine/removes") == ("other", "v2")
    assert tags_of(services, "mine/keeps") == ("other", "v1", "v2")
    for tag in ("v2", "other"):
        team.request("DELETE", f"/v2/team/goes/manifests/{tag}")
    run = go(services, removes)
    assert run.removed == 0
    assert "nothing is removed" in run.log
    assert tags_of(services, "mine/removes") == ("other", "v2")


def test_what_is_attached_to_an_image_comes_with_it(services, team, origin):
    subject = team.image("team/signed", "v1")
    raw = team.manifest(
        "team/signed",
        artifactType="application/vnd.example.signature",
        subject={
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": subject,
            "size": len(team.get("/v2/team/signed/manifests/v1").body),
        },
    )
    assert team.put_manifest("team/signed", digest(raw), raw).status == 201
    rule(services, origin, "team/signed")
    assert go(services).state == "done"
    rows, _ = services.registry.referrers(
        CHIEF, "mine/app", subject, artifact_type="", last="", limit=10
    )
    assert [each.digest for each in rows] == [digest(raw)]


def test_debians_docker_registry_is_copied_too(services, registry, tmp_path):
    layers = [tar([Piece("etc/", directory=True), Piece("etc/base", os.urandom(100_000))])]
    folder = tmp_path / "layout"
    folder.mkdir()
    write_layout(folder, layers, tag="v1")
    there = f"docker://{registry.address}/team/app:v1"
    words = ("skopeo", "copy", "-q", "--dest-tls-verify=false", f"oci:{folder}:v1", there)
    subprocess.run(words, check=True, timeout=120)
    rule(services, registry)
    assert numbers(go(services)) == (1, 0, 0, 0)


def test_one_tag_that_cannot_be_copied_leaves_the_others_alone(tmp_path, team, origin):
    services = open_services(tmp_path / "hub", immutable=("mine/app:v1",))
    try:
        for tag in ("v1", "v2"):
            team.image("team/stays", tag, seed=tag)
        made = rule(services, origin, "team/stays")
        assert numbers(go(services)) == (2, 0, 0, 0)
        team.image("team/stays", "v1", seed="moved")
        run = go(services, made)
        assert (run.state, numbers(run)) == ("failed", (0, 1, 0, 1))
        assert "immutable" in run.log
    finally:
        services.close()


def hostile_tags(hostile, *tags):
    """Have the hostile registry list these tags, all of one image."""
    hostile.tags = tags


def test_a_limit_ends_the_run_which_goes_on_when_it_is_over(services):
    with Hostile() as hostile:
        hostile_tags(hostile, "v1", "v2", "v3")
        limited = Reply(429, headers=(("Retry-After", "600"),))
        hostile.manner = lambda _, kind, before: (
            limited if kind == "manifest" and before >= 2 else None
        )
        made = rule(services, hostile)
        run = go(services)
        assert run.state == "failed"
        assert "takes no more requests" in run.log
        wait_s = services.mirrors.get(CHIEF, made.id)[0].next_at - services.clock()
        assert 500 < wait_s <= 602


@pytest.mark.parametrize("status", [500, 404, 401])
def test_a_registry_that_does_not_answer_well_is_tried_again_soon(services, status):
    with Hostile(manner=lambda *_: Reply(status)) as hostile:
        made = rule(services, hostile)
        assert go(services).state == "failed"
        wait_s = services.mirrors.get(CHIEF, made.id)[0].next_at - services.clock()
        assert 0 < wait_s <= 900


def test_damaged_bytes_are_not_taken_and_the_next_run_mends_it(services):
    with Hostile() as hostile:
        hostile_tags(hostile, "v1")
        hostile.manner = lambda _, kind, __: Reply(body=b"x" * 30000) if kind == "layer" else None
        made = rule(services, hostile)
        run = go(services)
        assert numbers(run) == (0, 0, 0, 1)
        assert tags_of(services) == ()
        hostile.manner = None
        assert numbers(go(services, made)) == (1, 0, 0, 0)


def test_a_hub_that_stops_in_the_middle_goes_on_at_its_next_start(tmp_path):
    with Hostile() as hostile:
        hostile_tags(hostile, "v1")
        services = open_services(tmp_path / "hub")
        rule(services, hostile)
        hostile.gate.clear()
        assert services.mirroring.begin_due() == 1
        pause = threading.Event()
        while not hostile.asked["GET", "layer"]:
            pause.wait(0.02)
        services.close()
        hostile.gate.set()
        services = open_services(tmp_path / "hub")
        try:
            ((_, stopped),) = services.mirrors.all(CHIEF)
            assert stopped is not None
            assert stopped.state == "failed"
            assert numbers(go(services)) == (1, 0, 0, 0)
        finally:
            services.close()


def test_two_processes_run_a_rule_once_and_another_takes_over_from_one_that_died(
    tmp_path, services
):
    with Hostile() as hostile:
        hostile_tags(hostile, "v1")
        made = rule(services, hostile)
        other = open_services(tmp_path / "hub")
        try:
            hostile.gate.clear()
            assert services.mirroring.begin_due() == 1
            assert other.mirroring.begin_due() == 0
            pause = threading.Event()
            while not hostile.asked["GET", "layer"]:
                pause.wait(0.02)
            # its lease runs out, as after a kill
            services.database.write(
                lambda connection: connection.execute("UPDATE mirrors SET running_until = 0")
            )
            assert other.mirroring.begin_due() == 1
            hostile.gate.set()
            for each in (services, other):
                each.mirroring.wait()
            assert tags_of(services) == ("v1",)
            runs = services.mirrors.get(CHIEF, made.id)[1]
            assert len(runs) == 2
        finally:
            other.close()


def test_a_rule_that_is_removed_while_it_runs_ends_there(services):
    with Hostile() as hostile:
        hostile_tags(hostile, "v1")
        made = rule(services, hostile)
        hostile.gate.clear()
        assert services.mirroring.begin_due() == 1
        services.mirrors.remove(CHIEF, made.id)
        hostile.gate.set()
        services.mirroring.wait()
        assert services.mirrors.all(CHIEF) == ()


def test_a_running_hub_begins_a_new_rule_by_itself_and_tells_webhooks(tmp_path, team, origin):
    from tests.hub.receivers import LOOPBACK, Receiver

    team.image("team/told", "v1")
    settings = HubSettings(
        root=str(tmp_path / "hub"), port=0, shutdown_s=1, webhook_networks=LOOPBACK
    )
    with Receiver() as receiver, Hub(settings=settings) as hub:
        hub.register("chief", PASSWORD)
        hub.services.webhooks.create(CHIEF, "chief", url=receiver.url, events=("push",))
        rule(hub.services, origin, "team/told", target="chief/told")
        (told,) = receiver.wait_for(1)
        assert b'"tag":"v1"' in told.body


def test_an_index_and_its_children_are_copied(services, team, origin):
    children = [team.image("team/many", "", seed=arch, arch=arch) for arch in ("amd64", "arm64")]
    raw = document(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [
                {
                    "mediaType": "application/vnd.oci.image.manifest.v1+json",
                    "digest": each,
                    "size": len(team.get(f"/v2/team/many/manifests/{each}").body),
                }
                for each in children
            ],
        }
    )
    kind = "application/vnd.oci.image.index.v1+json"
    assert team.put_manifest("team/many", "v1", raw, kind).status == 201
    rule(services, origin, "team/many")
    assert numbers(go(services)) == (1, 0, 0, 0)
    assert services.registry.manifest(CHIEF, "mine/app", "v1", is_pull=False).raw == raw
    for each in children:
        assert services.registry.manifest(CHIEF, "mine/app", each, is_pull=False).digest == each
