"""Rows of lives as JSON: written many at a time, they are what each would be by itself."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.study.piles import Items, pile
from tests.study.test_exploration_document import HIGH, LOW

from lamina.cli.life_rows import LifeRows
from lamina.engine.study import Made
from lamina.layer.entry import Entry, Kind
from lamina.study.lives import lives, sweep

MADE = tuple(Made(number, f"sha256:{number}", "now", 'RUN "//path" 8', "", "") for number in (1, 2))


def test_runs_are_written_as_their_paths_are_one_by_one(tmp_path: Path):
    more: Items = [
        Entry(b"plain", Kind.DIRECTORY, 0o711, 5, 6, mtime_ns=7),
        *(Entry(b"plain/%02d" % number, Kind.FILE, 0o600, mtime_ns=number) for number in range(9)),
        (Entry(b"plain/\xc3\xa9", Kind.FILE, 0o600, mtime_ns=1 << 40), b"x" * 77),
        Entry(b"quote", Kind.DIRECTORY), Entry(b'quote/"', Kind.FILE), Entry(b"quote/\\", Kind.FILE),
    ]  # fmt: skip
    study: Any = SimpleNamespace(made=MADE)
    with pile(tmp_path, [*LOW, *more], HIGH) as layers:
        rows = LifeRows(study, owned=False)
        one_by_one = list(rows.texts(iter(lives(layers))))
        quick = list(LifeRows(study, owned=False).texts(sweep(layers)))
    assert ",\n".join(quick) == ",\n".join(one_by_one)
    assert len(quick) < len(one_by_one)
    told = json.loads(f"[{','.join(quick)}]")
    assert [row["path"] for row in told if row["path"].startswith("/plain")][:2] == [
        "/plain",
        "/plain/00",
    ]
