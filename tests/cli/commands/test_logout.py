"""`lamina logout` forgets what docker would."""

import json
from pathlib import Path

from tests.consoles import Console


def test_credentials_are_removed_and_others_stay(tmp_path: Path):
    auths = {"example.com": {"auth": "YTpi"}, "other.example.com": {"auth": "YTpi"}}
    (tmp_path / "config.json").write_text(json.dumps({"auths": auths}))  # noqa: TID251 - docker's
    console = Console({"DOCKER_CONFIG": str(tmp_path), "HOME": str(tmp_path)})
    assert console("logout", "example.com") == "Removing login credentials for example.com\n"
    left = json.loads((tmp_path / "config.json").read_text())
    assert list(left["auths"]) == ["other.example.com"]


def test_nobody_logged_in_is_no_failure(tmp_path: Path):
    console = Console({"DOCKER_CONFIG": str(tmp_path), "HOME": str(tmp_path)})
    assert console("logout", "example.com") == "Not logged in to example.com\n"
    assert console("logout") == "Not logged in to https://index.docker.io/v1/\n"
