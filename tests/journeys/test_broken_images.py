"""Images that are broken, unknown, huge or none: what can be read is shown, the rest told plainly."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.archives import STEPS, archive
from tests.consoles import Console, console
from tests.images import Piece, tar, write_layout

from lamina.engine.engine import Engine
from lamina.settings import Settings

LOW = tar(
    [Piece("etc/", directory=True), Piece("etc/first", b"x" * 700), Piece("etc/big", b"b" * 5000)]
)
NOISE = Random(1).randbytes(2000)
HIGH = tar(
    [Piece("etc/.wh.big"), Piece("etc/second", b"y"), Piece("etc/noise", NOISE),
     Piece("etc/last", b"last of all" * 90), Piece("etc/end", NOISE)]
)  # fmt: skip
UNDERSTANDING: tuple[tuple[str, ...], ...] = (
    ("whence", "it", "/etc/first"), ("whence", "--all", "--json", "it", "/"), ("waste", "--json", "it"),
    ("packages", "it"), ("secrets", "it"), ("explore", "--json", "it"), ("layers", "it"),
    ("history", "it"), ("base", "it"), ("layers", "--shared", "it"), ("explain", "it"),
    ("inspect", "it"), ("ls", "it:/etc"), ("cat", "it:/etc/first"), ("diff", "it", "it"),
    ("diff", "--json", "other:1", "it"), ("ls", "--layer", "1", "it:/"),
)  # fmt: skip


def put(root: Path, body: bytes) -> tuple[str, int]:
    digest = hashlib.sha256(body).hexdigest()
    (root / "blobs/sha256" / digest).write_bytes(body)
    return f"sha256:{digest}", len(body)


def brought(settings: Settings, change: Callable[[Path, dict[str, object]], None]) -> Console:
    """Have another tool write an image called `it`, changed so, into the store: it is an OCI layout."""
    root = Path(settings.root)
    write_layout(root / "made", [LOW, HIGH])
    index = json.loads((root / "made/index.json").read_bytes())
    for blob in (root / "made/blobs/sha256").iterdir():
        put(root, blob.read_bytes())
    target = index["manifests"][0]
    name = target["digest"].partition(":")[2]
    manifest = json.loads((root / "blobs/sha256" / name).read_bytes())
    change(root, manifest)
    target["digest"], target["size"] = put(root, json.dumps(manifest).encode())  # noqa: TID251
    target["annotations"] = {"org.opencontainers.image.ref.name": "docker.io/library/it:latest"}
    ours = json.loads((root / "index.json").read_bytes())
    ours["manifests"].append(target)
    (root / "index.json").write_text(json.dumps(ours))  # noqa: TID251
    return console(settings)


def packed_strangely(root: Path, manifest: dict[str, object]) -> None:
    layers = manifest["layers"]
    assert isinstance(layers, list)
    digest, size = put(root, b"\x8b\x01 nobody knows" * 10)
    layers[1] = {
        "mediaType": "application/vnd.oci.image.layer.v1.tar+br",
        "digest": digest,
        "size": size,
    }


def cut_short(root: Path, manifest: dict[str, object]) -> None:
    layers = manifest["layers"]
    assert isinstance(layers, list)
    blob = (root / "blobs/sha256" / layers[1]["digest"].partition(":")[2]).read_bytes()
    layers[1]["digest"], layers[1]["size"] = put(root, blob[: len(blob) * 7 // 8])


def damaged_within(root: Path, manifest: dict[str, object]) -> None:
    layers = manifest["layers"]
    assert isinstance(layers, list)
    blob = bytearray((root / "blobs/sha256" / layers[1]["digest"].partition(":")[2]).read_bytes())
    blob[len(blob) // 2] ^= 0xFF
    layers[1]["digest"], layers[1]["size"] = put(root, bytes(blob))


def damaged_in_place(root: Path, manifest: dict[str, object]) -> None:
    layers = manifest["layers"]
    assert isinstance(layers, list)
    path = root / "blobs/sha256" / layers[1]["digest"].partition(":")[2]
    path.write_bytes(path.read_bytes() + bytes(512))  # zeros after gzip, as tapes have


def not_there(root: Path, manifest: dict[str, object]) -> None:
    layers = manifest["layers"]
    assert isinstance(layers, list)
    (root / "blobs/sha256" / layers[1]["digest"].partition(":")[2]).unlink()


def tar_cut_short(root: Path, manifest: dict[str, object]) -> None:
    layers = manifest["layers"]
    assert isinstance(layers, list)
    body = HIGH[: HIGH.index(b"last of all") + 5]
    layers[1]["digest"], layers[1]["size"] = put(root, gzip.compress(body, mtime=0))
    name = hashlib.sha256(body).hexdigest()
    configured(root, manifest, lambda config: config["rootfs"]["diff_ids"].__setitem__(1, f"sha256:{name}"))  # fmt: skip


def of_another_name(root: Path, manifest: dict[str, object]) -> None:
    configured(root, manifest, lambda config: config["rootfs"]["diff_ids"].__setitem__(1, f"sha256:{'1' * 64}"))  # fmt: skip


def one_too_many(root: Path, manifest: dict[str, object]) -> None:
    configured(root, manifest, lambda config: config["rootfs"]["diff_ids"].append(f"sha256:{'1' * 64}"))  # fmt: skip


def one_too_few(root: Path, manifest: dict[str, object]) -> None:
    configured(root, manifest, lambda config: config["rootfs"]["diff_ids"].pop())


def configured(
    root: Path, manifest: dict[str, object], change: Callable[[dict[str, Any]], object]
) -> None:
    """Change the configuration of an image."""
    row = manifest["config"]
    assert isinstance(row, dict)
    config = json.loads((root / "blobs/sha256" / row["digest"].partition(":")[2]).read_bytes())
    change(config)
    row["digest"], row["size"] = put(root, json.dumps(config).encode())  # noqa: TID251


NOTHING = "layer 2 cannot be read, and is left out: "
PART = "layer 2 cannot be read to its end, and only its first "
ALL = "layer 2 is shown, but is not as it should be: "
ODD = "what can be read is shown, but "


@pytest.mark.parametrize(
    ("change", "said", "why"),
    [
        (packed_strangely, NOTHING, "tar+br"),
        (not_there, NOTHING, "no such blob"),
        (cut_short, PART, "gzip data ends too soon"),
        (damaged_within, PART, "damaged gzip data"),
        (tar_cut_short, PART, "within the body of a file"),
        (damaged_in_place, ALL, "its blob is sha256:"),
        (of_another_name, ALL, "its image says sha256:1111"),
        (one_too_many, ODD, "its configuration names 3 layers, its manifest 2"),
        (one_too_few, ODD, "its configuration names 1 layers, its manifest 2"),
    ],
)
def test_a_layer_that_is_not_whole_is_shown_as_far_as_it_can_be_read_and_the_rest_is_told(
    settings: Settings,
    engine: Engine,
    change: Callable[[Path, dict[str, object]], None],
    said: str,
    why: str,
):
    engine.images.load(io.BytesIO(archive("other:1")))  # makes the store
    ask = brought(settings, change)
    for words in UNDERSTANDING:
        heard = ask.run(*words)
        assert "Traceback" not in heard.err
        if words[0] == "base" or "--shared" in words:
            assert (heard.code, heard.err) == (0, ""), words
            continue
        assert heard.code == 1, words
        assert heard.out, words
        assert heard.err.count("\n") == 1, words
        if words[0] in ("layers", "history", "explain", "inspect"):
            assert heard.err.startswith("layers of it cannot be unpacked, so their sizes are not")
        else:
            assert heard.err.startswith(said), words
            assert why in heard.err, words
    rows = json.loads(ask.run("whence", "--json", "it", "/etc/first").out)
    assert [event["change"] for event in rows[0]["events"]] == ["added"]
    shown = set(ask.run("ls", "it:/etc").out.split())
    if said == NOTHING:
        assert shown == {"first", "big"}
        missing = ask.run("whence", "it", "/etc/second")
        assert "no layer that can be read ever had /etc/second" in missing.err
        return
    assert {"first", "second"} <= shown
    assert "big" not in shown
    assert ask.run("cat", "it:/etc/second").out == "y"
    assert ("last" in shown) is (said in (ALL, ODD))
    assert "No path differs" in ask.run("diff", "it", "it").out


@pytest.mark.parametrize(
    "change",
    [
        {"history": "none"}, {"history": [5, None, {"created": 7, "created_by": ["x"]}]},
        {"rootfs": None}, {"rootfs": "x"}, {"rootfs": {"diff_ids": [1, 2]}}, {"config": None},
        {"config": {"Env": 5, "Cmd": "sh", "Entrypoint": [None], "Labels": ["a"], "User": {}}},
        {"created": 5, "architecture": 7, "os": ["linux"], "author": 4, "variant": {}},
    ],
)  # fmt: skip
def test_an_image_with_an_odd_configuration_is_listed_and_shown(
    settings: Settings, engine: Engine, change: dict[str, object]
):
    engine.images.load(io.BytesIO(archive("other:1")))
    ask = brought(
        settings, lambda root, manifest: configured(root, manifest, lambda old: old.update(change))
    )
    assert [row["repository"] for row in json.loads(ask("images", "--json"))].count("it") == 1
    code = int("config" not in change and "created" not in change)
    for words in UNDERSTANDING[::2]:
        heard = ask.run(*words)
        assert "Traceback" not in heard.err
        assert heard.out, words
        if words[0] != "base" and "--shared" not in words:
            assert heard.code == code, (words, heard.err)
            assert heard.err.count("\n") == code, words
    assert {"first", "second", "last"} <= set(ask.run("ls", "it:/etc").out.split())
    assert [row["RootFS"]["Type"] for row in json.loads(ask.run("inspect", "it").out)] == ["layers"]


@pytest.mark.root
def test_an_odd_image_neither_becomes_a_container_nor_hides_others_from_a_filter(
    settings: Settings, engine: Engine
):
    engine.images.load(io.BytesIO(archive("other:1", labels={"a": "b"})))

    def change(config: dict[str, Any]) -> None:
        config["history"] = "none"
        config["config"] = {"Entrypoint": [None], "Labels": ["a"], "Env": 5}

    ask = brought(settings, lambda root, manifest: configured(root, manifest, change))
    assert json.loads(ask("images", "--json", "-f", "label=a"))[0]["repository"] == "other"
    ask("rmi", "it")
    ask = brought(
        settings,
        lambda root, manifest: configured(
            root, manifest, lambda old: old.update({"config": {"Entrypoint": [None]}})
        ),
    )
    said = ask.run("create", "it")
    assert (said.code, said.out) == (1, "")
    assert "another kind of value in Entrypoint" in said.err
    assert len(ask("ps", "-a").splitlines()) == 1


def test_an_index_that_was_damaged_on_the_disk_is_told_of_before_anything_is_said(
    settings: Settings, engine: Engine
):
    engine.images.load(io.BytesIO(archive("it", layers=(LOW, HIGH))))
    ask = console(settings)
    image = engine.images.resolve("it")
    path = Path(engine.layers.path(image.config.diff_ids[:1]))
    data = bytearray(path.read_bytes())
    with engine.layers.opened(image.config.diff_ids) as layers:
        start, _ = layers[0].index_span
    data[start + 64] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)
    for words in (*UNDERSTANDING[1:6], *UNDERSTANDING[12:]):
        if "other:1" not in words and "--layer" not in words:
            said = ask.run(*words)
            assert said.code == 1, words
            assert said.err.startswith(
                "layer 1 is shown, but is not as it should be: sealed layer "
            )
    told = json.loads(ask.run("whence", "--all", "--json", "it", "/").out)
    assert {row["path"] for row in told} >= {"/etc/first", "/etc/second"}  # the blob is whole
    for words in UNDERSTANDING[6:12]:
        assert ask.run(*words).code == 0, words
    path.unlink()  # its blob is here: it is made again
    assert ask.run(*UNDERSTANDING[0]).code == 0


def test_an_artifact_is_called_one_by_every_command(settings: Settings, engine: Engine):
    def artifact(root: Path, manifest: dict[str, object]) -> None:
        digest, size = put(root, b"{}")
        kind = "application/vnd.cncf.helm.config.v1+json"
        manifest["config"] = {"mediaType": kind, "digest": digest, "size": size}

    engine.images.load(io.BytesIO(archive("other:1")))
    ask = brought(settings, artifact)
    for words in (*UNDERSTANDING, ("diff", "it", "it"), ("diff", "other:1", "it"), ("ls", "it:/")):
        said = ask.run(*words)
        assert said.code == 1, words
        assert "is an artifact (application/vnd.cncf.helm.config.v1+json)" in said.err, words
        assert said.out == ("[]\n" if words[0] == "inspect" else ""), words
    assert "other:1" in ask("layers", "--shared")


def test_a_hundred_and_twenty_seven_layers_are_all_told_of(settings: Settings, engine: Engine):
    layers = [
        tar([Piece("f", str(number).encode() * 9), Piece(f"only{number}")]) for number in range(127)
    ]
    engine.images.load(io.BytesIO(archive("it", layers=layers, steps=[STEPS[0]] * 127)))
    engine.images.load(io.BytesIO(archive("low", layers=layers[:100], steps=[STEPS[0]] * 100)))
    ask = console(settings)
    (life,) = json.loads(ask("whence", "--json", "it", "/f"))
    assert [event["layer"] for event in life["events"]] == list(range(1, 128))
    waste = json.loads(ask("waste", "--json", "it"))
    assert len(waste["files"]) == 126
    assert waste["wasted"] == sum(len(str(number)) * 9 for number in range(126))
    assert len(ask("layers", "-q", "it").split()) == 127
    assert [line.split()[0] for line in ask("base", "it").splitlines()[1:]] == ["low:latest"]
    assert "27 added" in ask("diff", "--stat", "low", "it")
    shared = json.loads(ask("layers", "--shared", "--json"))
    assert max(len(part["diff_ids"]) for part in shared["parts"] if len(part["images"]) == 2) == 100
    assert ask("secrets", "it").count("\n") == 1
    assert len(json.loads(ask("explore", "--json", "it"))["layers"]) == 127


def test_many_thousand_files_in_one_directory_are_no_hindrance(settings: Settings, engine: Engine):
    count = 6_000
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as sink:  # noqa: TID251 - the judge's own
        for number in range(count):
            sink.addfile(tarfile.TarInfo(f"many/file{number:06}"))
    layers = (out.getvalue(), tar([Piece("many/.wh.file000007"), Piece("many/file000008", b"x")]))
    engine.images.load(io.BytesIO(archive("it", layers=layers)))
    ask = console(settings)
    assert len(ask("whence", "--all", "it", "/many").splitlines()) == count + 2
    assert json.loads(ask("waste", "--json", "it"))["files"] == []  # empty files waste nothing
    assert [row["events"][-1]["change"] for row in json.loads(
        ask("whence", "--json", "it", "/many/file000007", "/many/file000008", "/many/file005999")
    )] == ["removed", "changed", "added"]  # fmt: skip
    assert ask("packages", "it").count("\n") == 1
