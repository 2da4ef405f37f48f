import os

import pytest

from lamina.runtime import cgroups, hierarchies, scope
from lamina.runtime.group_survey import survey


def test_a_plain_users_systemd_is_told_of_with_what_it_was_not_given(unified, monkeypatch):
    monkeypatch.setattr(hierarchies, "_base", lambda _root, _own: "")
    monkeypatch.setattr(scope, "manager", lambda uid: str(unified) if uid == 7 else "")
    said = survey(7)
    assert (said.driver, said.version, said.kept) == ("systemd", 2, ("memory", "pids"))
    assert "not cpu, cpuset" in said.reason
    assert "user@.service" in said.reason
    assert survey(8).kept == ()


def test_a_machine_without_groups_says_so(monkeypatch):
    monkeypatch.setattr(hierarchies, "ROOT", "/nowhere")
    assert survey(None) == ("none", 0, (), "no control groups are mounted at /nowhere")


def test_root_that_may_not_write_is_told_where(unified, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert survey(None) == ("none", 2, (), f"{unified} cannot be written to")


def test_controllers_that_the_kernel_lacks_are_named(unified):
    said = survey(None)
    assert (said.driver, said.kept) == ("cgroupfs", ("memory", "pids"))
    assert said.reason.startswith("not cpu, cpuset, io: the kernel")


@pytest.mark.root
def test_the_survey_of_this_machine_says_what_root_can_limit():
    said = survey(None)
    assert set(said.kept) == cgroups.limitable(said.kept)
