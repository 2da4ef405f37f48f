"""Programs are found where they can be run."""

import os

import pytest

from lamina.runtime.programs import which


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def program(folder, name: str, mode: int) -> None:
    (folder / name).write_text("#!/bin/sh\n")
    (folder / name).chmod(mode)


def test_a_program_in_path_is_found_and_what_cannot_be_run_is_not(folder):
    program(folder, "lamina-tool", 0o755)
    program(folder, "lamina-text", 0o644)
    (folder / "lamina-folder").mkdir()
    assert which("lamina-tool") == f"{folder}/lamina-tool"
    assert [which(f"lamina-{name}") for name in ("text", "folder", "none")] == ["", "", ""]


def test_the_systems_and_further_folders_are_looked_through_last(folder, tmp_path, monkeypatch):
    further = tmp_path / "further"
    further.mkdir()
    program(further, "lamina-tool", 0o755)
    assert which("lamina-tool", str(further)) == f"{further}/lamina-tool"
    program(folder, "lamina-tool", 0o755)
    assert which("lamina-tool", str(further)) == f"{folder}/lamina-tool"
    monkeypatch.delenv("PATH")
    assert os.path.basename(which("sh")) == "sh"
