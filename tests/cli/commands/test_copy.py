"""`lamina copy` tells each blob's way and the digest."""

import json
from pathlib import Path

from tests.archives import archive
from tests.commands import Lamina


def test_a_copy_says_what_went_and_the_digest(lamina: Lamina, tmp_path: Path):
    lamina("load", stdin=archive("example/db:v1"))
    lines = lamina("copy", "example/db:v1", f"oci:{tmp_path}/there:v1").splitlines()
    row = json.loads((tmp_path / "there/index.json").read_text())["manifests"][0]
    assert lines[-1] == f"Digest: {row['digest']}"
    assert {line.partition(": ")[2] for line in lines[:-1]} == {"Preparing", "Pushed"}
    again = lamina("copy", "-q", f"oci:{tmp_path}/there:v1", f"dir:{tmp_path}/dir")
    assert again == row["digest"] + "\n"


def test_bad_places_end_with_a_word(lamina: Lamina, tmp_path: Path):
    outcome = lamina.attempt("copy", "ftp://x/y", f"dir:{tmp_path}/x")
    assert outcome.code == 1
    assert "unknown transport 'ftp'" in outcome.err
    outcome = lamina.attempt("copy", "-a", "--platform", "linux/arm64", "x", f"dir:{tmp_path}/x")
    assert outcome.code == 1
