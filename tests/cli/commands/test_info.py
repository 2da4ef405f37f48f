"""`lamina info` says which parts serve here."""

import json
from pathlib import Path

import pytest
from tests.consoles import Console


def test_lines_templates_and_json_tell_the_same(shelf: Console):
    text = shelf("info")
    assert "\nImages: 2\n" in text
    assert shelf("info", "-f", "{{.Images}} {{.OSType}}") == "2 linux\n"
    assert json.loads(shelf("info", "--json"))["Images"] == 2
    driver = json.loads(shelf("system", "info", "--format", "json"))["Driver"]
    assert f"\nStorage Driver: {driver}\n" in text


def test_the_storage_driver_is_told_with_how_it_works_and_what_the_others_lack(shelf: Console):
    flags = ("--storage-driver", "copied", "--storage-opt", "erofs=none,max-lowers=9")
    text = shelf(*flags, "info")
    document = json.loads(shelf(*flags, "info", "-f", "json"))
    assert "\nStorage Driver: copied\n Chosen Because: asked for by --storage-driver" in text
    assert document["DriverStatus"][0][0] == "Backing Filesystem"
    for key, value in document["DriverStatus"]:
        assert f"\n {key}: {value}\n" in text
    lacks = {row["Name"]: row["Lacks"] for row in document["StorageDrivers"]}
    assert list(lacks) == ["sealed", "unpacked", "copied"]
    assert lacks["sealed"]
    assert f"\n sealed: {lacks['sealed']}\n" in text
    assert "\n copied: serves\n" in text
    assert "\n Unpacked Layers: 0 (0B)\n Merged Layers: 0 (0B)\n" in text


def test_rules_for_registries_are_shown_where_there_are_any(
    shelf: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    file = tmp_path / "registries.toml"
    file.write_text(
        '[registry."docker.io"]\nmirrors = ["cache.lan:5000", "m.example/hub"]\n'
        '[registry."cache.lan:5000"]\ninsecure = true\nca = "/lan.pem"\n'
        '[registry."a.example"]\nlocation = "b.example/x"\nblocked = true\n'
    )
    assert "Registries File" not in shelf("info")
    monkeypatch.setenv("LAMINA_REGISTRIES", str(file))
    text = shelf("info")
    assert f"\nRegistries File: {file}\n docker.io: mirrors cache.lan:5000, m.example/hub\n" in text
    assert "\n cache.lan:5000: authority /lan.pem; insecure\n" in text
    assert "\n a.example: at b.example/x; blocked\n" in text
    config = json.loads(shelf("info", "--json"))["RegistryConfig"]
    assert config["Registries"]["docker.io"] == {"Mirrors": ["cache.lan:5000", "m.example/hub"]}
    file.write_text("registry = 3\n")
    assert "unknown registry" in shelf.run("info").err
