"""What the doctor says of a folder; PostgreSQL and S3 are in test_replicas.py."""

import os

from lamina.hub import Hub, HubSettings
from lamina.hub.doctor import Finding, examine


def by_subject(settings: HubSettings) -> dict[str, Finding]:
    return {finding.subject: finding for finding in examine(settings)}


def test_a_hub_that_is_yet_to_be_has_nothing_wrong_and_nothing_is_made(tmp_path):
    found = by_subject(HubSettings(root=str(tmp_path / "hub")))
    assert all(finding.is_good for finding in found.values())
    assert "will be made" in found["database"].text
    assert os.listdir(tmp_path) == []


def test_a_hub_that_runs_is_intact_and_up_to_date(tmp_path):
    with Hub(root=str(tmp_path)) as hub:
        before = set(os.listdir(hub.root))
        found = by_subject(hub.settings)
        assert set(os.listdir(hub.root)) == before
    assert found["database"].text.endswith("intact")
    assert found["schema"].text.endswith("up to date")
    assert "can be written" in found["storage"].text
    assert "free" in found["room"].text


def test_a_damaged_database_is_said_to_be_damaged(tmp_path):
    (tmp_path / "hub.db").write_bytes(b"this is no database" * 1000)
    found = by_subject(HubSettings(root=str(tmp_path)))["database"]
    assert (found.is_good, found.sign) == (False, "wrong")
    assert "damaged" in found.text
    assert "backup" in found.hint
