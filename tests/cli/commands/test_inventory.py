"""The air gap by hand: inventory there, save here, load there."""

import json
from pathlib import Path

from tests.archives import archive
from tests.commands import Lamina
from tests.engine.test_bundles import BASE, ONE, TWO

from lamina.settings import Settings


def test_the_three_steps(lamina: Lamina, settings: Settings, tmp_path: Path):
    there = Lamina(Settings(str(tmp_path / "there"), settings.run_root, settings.docker_config))
    lamina("load", stdin=archive("app:v2", layers=(BASE, TWO)))
    there("load", stdin=archive("app:v1", layers=(BASE, ONE)))
    (tmp_path / "have.json").write_text(there("inventory"))
    full, small, since = (str(tmp_path / name) for name in ("full", "small", "since"))
    lamina("save", "-o", full, "app:v2")
    lamina("save", "--have", str(tmp_path / "have.json"), "-o", small, "app:v2")
    assert "app:v2" in there("load", "-i", small)
    assert Path(small).stat().st_size < Path(full).stat().st_size
    lamina("load", stdin=archive("app:v1", layers=(BASE, ONE)))
    lamina("save", "--since", "app:v1", "-o", since, "app:v2")
    assert Path(since).read_bytes() == Path(small).read_bytes()


def test_bad_inventories_end_with_a_word(lamina: Lamina, tmp_path: Path):
    lamina("load", stdin=archive("app:v2", layers=(BASE, TWO)))
    (tmp_path / "have.json").write_text(json.dumps({}))  # noqa: TID251
    outcome = lamina.attempt("save", "--have", str(tmp_path / "have.json"), "-o", "-", "app:v2")
    assert outcome.code == 1
    assert "no inventory" in outcome.err
    assert lamina.attempt("save", "--have", str(tmp_path / "none"), "app:v2").code == 1
    assert lamina.attempt("save", "--since", "gone", "-o", str(tmp_path / "x"), "app:v2").code == 1
    assert not (tmp_path / "x").exists()
