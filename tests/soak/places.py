"""What a killed command may leave outside of the root: files and folders that are whole, or not there."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from lamina.spec.wire import encode

__all__ = ["Config", "plain_folder", "saved_file", "whole_layout"]

_OTHER = {"auths": {"other.example": {"auth": "eDp5"}}, "psFormat": "table {{.ID}}"}


def saved_file(path: Path, expected: Path, ended: bool) -> None:
    """An archive is the one that was there or the new one, and nothing but it stays in the end."""
    found, whole = path.read_bytes(), expected.read_bytes()
    assert found == whole or (not ended and found == b"before"), (path, len(found), ended)
    for part in path.parent.glob(f"{path.name}.*"):  # linked, and not yet in the old one's place
        assert part.read_bytes() == whole, part
        part.unlink()


def whole_layout(folder: Path, name: str, ended: bool) -> None:
    """An OCI layout has no half blob, and lists what it has all of."""
    blobs = {path.name: path.read_bytes() for path in folder.glob("blobs/sha256/*")}
    for name_of_blob, data in blobs.items():
        assert hashlib.sha256(data).hexdigest() == name_of_blob, name_of_blob
    index = folder / "index.json"
    rows = json.loads(index.read_bytes())["manifests"] if index.exists() else []
    for row in rows:
        _complete(json.loads(blobs[_hex(row)]), blobs)
    if (folder / "oci-layout").exists():
        assert json.loads((folder / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
        assert [row["annotations"]["org.opencontainers.image.ref.name"] for row in rows] == [name]
    if ended:
        assert sorted(path.name for path in folder.iterdir()) == [
            "blobs",
            "index.json",
            "oci-layout",
        ]


def plain_folder(folder: Path, ended: bool) -> None:
    """A `dir:` has no half blob, and a manifest when all else is there."""
    files = {path.name: path.read_bytes() for path in folder.glob("*")}
    for name, data in files.items():
        if len(name) == 64:
            assert hashlib.sha256(data).hexdigest() == name, name
    manifest = json.loads(files.get("manifest.json", "{}"))
    if manifest:
        _complete(manifest, files)
        assert files["version"] == b"Directory Transport Version: 1.1\n"
    if ended:
        known = {"manifest.json", "version", *map(_hex, (manifest["config"], *manifest["layers"]))}
        assert set(files) == known


def _complete(manifest: Mapping[str, object], blobs: Mapping[str, bytes]) -> None:
    layers = manifest["layers"]
    assert isinstance(layers, list)
    assert {_hex(row) for row in (manifest["config"], *layers)} <= set(blobs)


def _hex(row: object) -> str:
    assert isinstance(row, dict)
    return str(row["digest"]).removeprefix("sha256:")


class Config:
    """Docker's `config.json` at `path`, with what belongs to others in it; we are `me` at `registry`."""

    def __init__(self, path: Path, registry: str) -> None:
        self._path = path
        self._registry = registry
        self._ours = {registry: {"auth": "bWU6c2VjcmV0"}}

    def without(self) -> None:
        """Write it without us."""
        self._path.parent.mkdir(exist_ok=True)
        self._path.write_bytes(encode(_OTHER))

    def with_login(self) -> None:
        """Write it with us."""
        self.without()
        self._path.write_bytes(encode(self._whole()))

    def check_login(self, ended: bool) -> None:
        """Everything of others is there, and we are when the login `ended`."""
        self._check(self._whole(), _OTHER, ended)

    def check_logout(self, ended: bool) -> None:
        """Everything of others is there, and we are not when the logout `ended`."""
        self._check(_OTHER, self._whole(), ended)

    def _whole(self) -> dict[str, object]:
        return {**_OTHER, "auths": {**_OTHER["auths"], **self._ours}}  # type: ignore[dict-item]

    def _check(self, wanted: object, before: object, ended: bool) -> None:
        found = json.loads(self._path.read_bytes())
        assert found == wanted or (not ended and found == before), found
        if ended:
            assert [path.name for path in self._path.parent.iterdir()] == [self._path.name]
