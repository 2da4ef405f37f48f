"""Images with chosen names and histories, as the archive that old `docker save` wrote."""

import hashlib
import json
from collections.abc import Sequence

from tests.images import Piece, tar

__all__ = ["STEPS", "archive"]

STEPS: tuple[dict[str, object], ...] = (
    {"created": "2024-01-02T03:04:05Z", "created_by": "/bin/sh -c #(nop) ADD file:12 in / "},
    {
        "created": "2024-01-02T03:04:06Z",
        "created_by": "RUN /bin/sh -c initialise # buildkit",
        "comment": "buildkit.dockerfile.v0",
    },
    {
        "created": "2024-01-02T03:04:07Z",
        "created_by": 'CMD ["sleep" "3600"]',
        "empty_layer": True,
    },
)
"""An ADD, a RUN and a CMD, as docker's two builders write them."""


def archive(
    *names: str,
    layers: Sequence[bytes] = (),
    steps: Sequence[dict[str, object]] = STEPS,
    labels: dict[str, str] | None = None,
    created: str = "2024-01-02T03:04:07Z",
) -> bytes:
    """Write one image. Without `layers`: 700 bytes, then 36 more."""
    tars = layers or (
        tar([Piece("etc/", directory=True), Piece("etc/first", b"x" * 700)]),
        tar([Piece("etc/second", b"y" * 36)]),
    )
    diff_ids = ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in tars]
    config = {
        "architecture": "amd64",
        "os": "linux",
        "created": created,
        "author": "Some One",
        "config": {"Cmd": ["sleep", "3600"], "Env": ["PATH=/bin"], "Labels": labels},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": list(steps),
    }
    members = [f"{number}.tar" for number in range(len(tars))]
    manifest = [{"Config": "config.json", "RepoTags": list(names), "Layers": members}]
    return tar(
        [
            *(Piece(name, body) for name, body in zip(members, tars, strict=True)),
            Piece("config.json", json.dumps(config).encode()),  # noqa: TID251 - not ours on purpose
            Piece("manifest.json", json.dumps(manifest).encode()),  # noqa: TID251
        ]
    )
