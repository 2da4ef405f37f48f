"""Dry runs print a line for each blob, and the sum."""

import pytest
from tests.archives import archive
from tests.commands import Lamina
from tests.consoles import Console, text_of
from tests.servers import RegistryServer

from lamina.cli.planning import tell_plans
from lamina.engine.plans import Plan, Step, Way
from lamina.spec.digest import Digest

PLAN = Plan(
    "me/app:1",
    Digest("sha256:" + "ab" * 32),
    (
        Step("aaaaaaaaaaaa", 1500, Way.SENT),
        Step("bbbbbbbbbbbb", 2000, Way.MOUNTED, "other/app"),
        Step("cccccccccccc", 3000, Way.THERE),
        Step("dddddddddddd", 4000, Way.PACKED),
    ),
    (Step("abababababab", 500, Way.SENT),),
)


@pytest.mark.parametrize("quiet", [False, True])
def test_each_blob_has_its_line_unless_quiet(quiet: bool):
    console = Console()
    context = console.context()
    tell_plans(context, (PLAN,), quiet=quiet, verb="fetched")
    lines = text_of(context).splitlines()
    assert lines[-1] == "Would transfer 3 of 5: 6kB"
    assert lines[:-1] == [] if quiet else [
        "aaaaaaaaaaaa: Would be fetched, 1.5kB",
        "bbbbbbbbbbbb: Would be mounted from other/app, 2kB",
        "cccccccccccc: Already there, 3kB",
        "dddddddddddd: Would be packed and sent, 4kB before packing",
        "abababababab: Would be fetched, 500B (manifest)",
    ]  # fmt: skip


def test_push_pull_and_copy_run_dry(lamina: Lamina, registry: RegistryServer):
    name = f"{registry.address}/dry/run:1"
    lamina("load", stdin=archive(name))
    assert lamina("push", "--dry-run", name).splitlines()[-1].startswith("Would transfer 4 of 4: ")
    assert lamina.attempt("pull", "--dry-run", name).code == 1
    copied = lamina("copy", "--dry-run", "-q", name, f"docker://{registry.address}/dry/copy:1")
    assert copied.startswith("Would transfer 4 of 4: ")
    lamina("push", name)
    assert lamina("pull", "--dry-run", "-q", name) == "Would transfer 0 of 4: 0B\n"
    assert lamina.attempt("pull", "--dry-run", "-a", name.rpartition(":")[0]).code == 1
    assert lamina.attempt("push", "--dry-run", f"{name}0").code == 1
