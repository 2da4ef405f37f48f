"""`lamina images --tree` draws names and platforms."""

import io
import os
from pathlib import Path

from tests.consoles import console
from tests.images import Piece, tar, write_index

from lamina.engine.archives import ImportRequest
from lamina.engine.engine import Engine
from lamina.engine.variants import variants
from lamina.settings import Settings
from lamina.spec.platform import Platform

HERE, THERE = str(Platform.from_machine(os.uname().machine)), "linux/s390x"


def test_a_tree_has_a_branch_for_each_platform(engine: Engine, settings: Settings, tmp_path: Path):
    write_index(tmp_path / "layout", (HERE, THERE))
    engine.images.copy(f"oci:{tmp_path}/layout", "lamina:both", everything=True)
    shown = console(settings)
    engine.images.import_(io.BytesIO(tar([Piece("a", b"a" * 9)])), ImportRequest(name="one"))
    lines = [line.split() for line in shown("images", "--tree").splitlines()]
    assert lines[0] == ["IMAGE", "ID", "DISK", "USAGE", "CONTENT", "SIZE", "EXTRA"]
    rows = {" ".join(line[:2]) if line[0] in "├└─" else line[0]: line for line in lines[1:]}
    names = [" ".join(line[: 2 if "─" in line[0] else 1]) for line in lines[1:]]
    assert names == ["one:latest", f"└─ {HERE}", "both:latest", f"├─ {HERE}", f"└─ {THERE}"]
    here, _ = variants(engine, "both")
    assert rows["both:latest"][1] == here.id.removeprefix("sha256:")[:12]
    assert [line.split()[0] for line in shown("images", "--tree", "both").splitlines()][
        1
    ] == "both:latest"
    for flag in ("--quiet", "--no-trunc", "--digests", "--format=json", "--json"):
        assert "is not supported with --tree" in shown.run("images", "--tree", flag).err
