"""The store as a whole, and as other tools see it."""

import json
import os
import subprocess
import sys

import pytest
from tests.store.layouts import put_image

from lamina.store.disk import make
from lamina.store.store import Store

NAMES = ("docker.io/library/debian:latest", "127.0.0.1:5000/me/app:v1", "localhost/x:a_b.c-d")


@pytest.fixture
def store(tmp_path):
    return Store.open(str(tmp_path / "root"))


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_skopeo_and_umoci_read_every_kind_of_name(store, tmp_path):
    image = put_image(store, {"etc/hello": b"hello\n"})
    digested = f"docker.io/library/debian@{image.digest}"
    other = put_image(store, {"etc/hello": b"other\n"})
    store.names.keep(other.descriptor, {"id": "x"})
    for name in (*NAMES, digested):
        store.names.set(name, image.descriptor, {"id": str(image.config.digest), "created": "x"})
    listed = output("umoci", "ls", "--layout", store.root).split()
    assert sorted(listed) == sorted([*NAMES, digested])
    for number, name in enumerate([*NAMES, digested]):
        seen = json.loads(output("skopeo", "inspect", f"oci:{store.root}:{name}"))
        assert seen["Digest"] == image.digest
        target = tmp_path / f"copy{number}"
        output("skopeo", "copy", "-q", f"oci:{store.root}:{name}", f"oci:{target}:y")
        assert json.loads((target / "index.json").read_text())["manifests"]
        unpacked = tmp_path / f"unpacked{number}"
        output("umoci", "unpack", "--rootless", "--image", f"{store.root}:{name}", str(unpacked))
        assert (unpacked / "rootfs/etc/hello").read_bytes() == b"hello\n"


def test_what_skopeo_writes_into_the_store_has_a_name_here(store, tmp_path):
    source = Store.open(str(tmp_path / "source"))
    image = put_image(source, {"a": b"1"})
    source.names.set("x:1", image.descriptor, {})
    output("skopeo", "copy", "-q", f"oci:{source.root}:x:1", f"oci:{store.root}:{NAMES[0]}")
    row = store.names.get(NAMES[0])
    assert row.target.digest == image.digest
    assert row.facts == {}
    assert store.collect().count == 0
    store.names.set("x/second:1", row.target, {"id": "1"})
    assert len(store.names.all()) == 2


def test_opening_and_listing_loads_nothing_heavy(store):
    image = put_image(store, {"a": b"1"})
    for i in range(500):
        store.names.set(f"docker.io/library/debian:{i}", image.descriptor, {"id": "x" * 71})
    program = (
        "import sys; before = set(sys.modules); from lamina.store.store import Store;"
        f"rows = Store.open({store.root!r}).names.all(); assert len(rows) == 500;"
        "print(*sorted(set(sys.modules) - before))"
    )
    source = os.path.abspath("src")
    loaded = output(sys.executable, "-c", f"import sys; sys.path.insert(0, {source!r}); {program}")
    heavy = {"pathlib", "tempfile", "threading", "logging", "shutil", "subprocess", "ctypes"}
    assert heavy.isdisjoint(loaded.split())


def test_a_sweep_tells_what_must_stay_and_what_may_go(store):
    one = put_image(store, {"a": b"1"}, {"b": b"2"})
    store.names.set("x:1", one.descriptor, {})
    put_image(store, {"a": b"1"})
    with store.sweep() as sweep:
        assert len(sweep.live.blobs) == 4
        assert len(sweep.live.diff_ids) == 2
        assert sweep.since_ns is None
        assert [size for _, size in sweep.garbage] == sorted(size for _, size in sweep.garbage)
        assert len(sweep.garbage) == 2
        assert sweep.blobs().count == 2
    with store.lease(), Store.open(store.root).sweep() as sweep:
        assert sweep.since_ns is not None


def test_open_makes_the_root_and_knows_where_everything_is(tmp_path):
    store = Store.open(str(tmp_path / "new"))
    assert store.root == str(tmp_path / "new")
    assert store.disk == make(store.root)
    assert store.names.all() == ()
