"""Names: index.json under many hands."""

import json
import os
import random

import pytest
from tests.store.disks import fill
from tests.store.processes import killed_after, together

from lamina.errors import Corrupt, Invalid, NotFound
from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.digest import Digest
from lamina.spec.platform import Platform
from lamina.spec.wire import encode
from lamina.store.names import IndexDamaged, Named, TargetUnknown
from lamina.store.store import Store
from lamina.stream.files import DiskFull

DEBIAN = "docker.io/library/debian:latest"


@pytest.fixture
def store(tmp_path):
    return Store.open(str(tmp_path / "root"))


def target(store, text):
    raw = encode({"schemaVersion": 2, "name": text})
    return Descriptor(MediaType.OCI_MANIFEST, store.blobs.put(raw), len(raw))


def listed(store):
    return [(row.name, row.target.digest) for row in Store.open(store.root).names.all()]


def test_a_name_stands_for_its_target_with_its_facts(store):
    one = target(store, "one")
    assert store.names.set(DEBIAN, one, {"id": "sha256:12", "created": "2024"}) is None
    row = Store.open(store.root).names.get(DEBIAN)
    assert row is not None
    assert row.target.digest == one.digest
    assert row.facts == {"id": "sha256:12", "created": "2024"}
    assert store.names.get("docker.io/library/debian:other") is None
    assert store.names.get("") is None
    with open(store.disk.index, "rb") as file:
        annotations = json.load(file)["manifests"][0]["annotations"]
    assert annotations["org.opencontainers.image.ref.name"] == DEBIAN
    assert annotations["io.lamina.created"] == "2024"


def test_the_targets_platform_and_own_annotations_are_kept(store):
    one = target(store, "one")
    given = Descriptor(
        one.media_type,
        one.digest,
        one.size,
        platform=Platform("linux", "arm64", "v8"),
        annotations={"a": "b", "io.lamina.old": "x", "org.opencontainers.image.ref.name": "old"},
    )
    store.names.set(DEBIAN, given, {"id": "1"})
    row = store.names.get(DEBIAN)
    assert row.target.platform == given.platform
    assert row.target.annotations["a"] == "b"
    assert row.facts == {"id": "1"}


def test_several_names_are_given_in_one_write(store):
    one, two = target(store, "one"), target(store, "two")
    other = f"docker.io/library/debian@{two.digest}"
    store.names.set(DEBIAN, one, {})
    old = store.names.set(DEBIAN, two, {"id": "x"}, also=(other,))
    assert old is not None
    assert old.target.digest == one.digest
    assert listed(store) == [(other, two.digest), (DEBIAN, two.digest), ("", one.digest)]
    with pytest.raises(Invalid):
        store.names.set(DEBIAN, two, {}, also=("",))


def test_a_moved_tag_leaves_its_old_target_dangling(store):
    one, two = target(store, "one"), target(store, "two")
    store.names.set(DEBIAN, one, {"id": "1"})
    old = store.names.set(DEBIAN, two, {"id": "2"})
    assert (old.name, old.target.digest, old.facts) == (DEBIAN, one.digest, {"id": "1"})
    assert listed(store) == [(DEBIAN, two.digest), ("", one.digest)]
    assert store.names.all()[1].facts == {"id": "1"}


def test_a_moved_tag_leaves_nothing_where_another_name_holds_the_target(store):
    one, two = target(store, "one"), target(store, "two")
    store.names.set("x.io/a:1", one, {})
    store.names.set("x.io/b:1", one, {})
    store.names.set("x.io/a:1", two, {})
    assert listed(store) == [("x.io/b:1", one.digest), ("x.io/a:1", two.digest)]


def test_naming_a_dangling_target_takes_it_up_again(store):
    one, two = target(store, "one"), target(store, "two")
    store.names.set(DEBIAN, one, {})
    store.names.set(DEBIAN, two, {})
    store.names.set("x.io/old:1", one, {})
    assert listed(store) == [(DEBIAN, two.digest), ("x.io/old:1", one.digest)]


def test_setting_the_same_again_changes_nothing_on_disk(store):
    one = target(store, "one")
    store.names.set(DEBIAN, one, {"id": "1"})
    before = os.stat(store.disk.index).st_ino
    store.names.set(DEBIAN, one, {"id": "1"})
    assert os.stat(store.disk.index).st_ino == before
    assert listed(store) == [(DEBIAN, one.digest)]


def test_a_removed_name_is_gone_without_a_trace(store):
    one = target(store, "one")
    store.names.set(DEBIAN, one, {})
    gone = store.names.remove(DEBIAN)
    assert isinstance(gone, Named)
    assert gone.target.digest == one.digest
    assert listed(store) == []
    assert store.names.remove(DEBIAN) is None
    assert store.names.remove("") is None


def test_untagged_targets_are_kept_and_dropped_by_digest(store):
    one = target(store, "one")
    store.names.keep(one, {"id": "1"})
    store.names.keep(one, {"id": "1"})
    assert listed(store) == [("", one.digest)]
    store.names.set(DEBIAN, one, {})
    store.names.keep(one, {})
    assert listed(store) == [(DEBIAN, one.digest)]
    assert store.names.drop(one.digest) is None, "a named target is not dropped"
    store.names.remove(DEBIAN)
    store.names.keep(one, {"id": "1"})
    assert store.names.drop(one.digest).facts == {"id": "1"}
    assert listed(store) == []


def test_a_name_for_a_manifest_that_is_not_here_is_refused(store):
    absent = Descriptor(MediaType.OCI_MANIFEST, Digest.of(b"absent"), 6)
    with pytest.raises(TargetUnknown, match=DEBIAN) as error:
        store.names.set(DEBIAN, absent, {})
    assert isinstance(error.value, NotFound)
    with pytest.raises(TargetUnknown):
        store.names.keep(absent, {})
    assert listed(store) == []


def test_rows_and_fields_of_other_tools_survive_our_changes(store):
    one = target(store, "one")
    foreign = {
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "digest": str(Digest.of(b"f")),
        "size": 1,
        "x-new-field": {"deep": [1]},
    }
    document = {"schemaVersion": 2, "manifests": [foreign], "annotations": {"k": "v"}}
    with open(store.disk.index, "w", encoding="utf-8") as file:
        json.dump(document, file)
    store.names.set(DEBIAN, one, {})
    store.names.remove(DEBIAN)
    with open(store.disk.index, encoding="utf-8") as file:
        assert json.load(file) == document


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\0\0\0",
        "[]",
        '{"manifests": {}}',
        '{"manifests": [1]}',
        '{"manifests": [{"digest": "sha256:zz", "size": 1, "mediaType": "x"}]}',
    ],
)
def test_a_damaged_index_is_corrupt_and_never_overwritten(store, text):
    one = target(store, "one")
    with open(store.disk.index, "w", encoding="utf-8") as file:
        file.write(text)
    with pytest.raises(IndexDamaged, match=r"index\.json") as error:
        store.names.all()
    assert isinstance(error.value, Corrupt)
    assert error.value.hint
    if "zz" not in text:
        with pytest.raises(IndexDamaged):
            store.names.set(DEBIAN, one, {})
        with open(store.disk.index, encoding="utf-8") as file:
            assert file.read() == text


def test_a_missing_index_is_corrupt(store):
    os.unlink(store.disk.index)
    with pytest.raises(IndexDamaged, match="is missing"):
        store.names.all()


def test_names_set_by_many_processes_at_once_are_all_there(store):
    def run(number):
        mine = Store.open(store.root)
        for i in range(10):
            mine.names.set(f"x.io/p{number}:{i}", target(mine, f"{number} {i}"), {})
        for i in range(0, 10, 2):
            mine.names.remove(f"x.io/p{number}:{i}")

    together(run, *[(number,) for number in range(20)])
    assert sorted(name for name, _ in listed(store)) == sorted(
        f"x.io/p{number}:{i}" for number in range(20) for i in range(1, 10, 2)
    )


def test_a_tag_that_many_processes_move_loses_no_target(store):
    def run(number):
        mine = Store.open(store.root)
        mine.names.set(DEBIAN, target(mine, f"{number}"), {})

    together(run, *[(number,) for number in range(8)])
    rows = listed(store)
    assert len(rows) == 8
    assert [name for name, _ in rows].count(DEBIAN) == 1


def test_readers_never_see_less_than_what_was_there(store):
    for i in range(50):
        store.names.set(f"x.io/fixed:{i}", target(store, f"{i}"), {})

    def write(number):
        mine = Store.open(store.root)
        for i in range(15):
            mine.names.set(f"x.io/w{number}:moving", target(mine, f"{number} {i}"), {})

    def read(number):
        mine = Store.open(store.root)
        for _ in range(100):
            names = {row.name for row in mine.names.all()}
            assert {f"x.io/fixed:{i}" for i in range(50)} <= names

    together(lambda act, number: act(number), (write, 1), (write, 2), (read, 3), (read, 4))


def test_kill_9_at_random_moments_never_damages_the_index(store):
    chance = random.Random(2)  # a seed, so that a failure can be repeated
    targets = [target(store, str(i)) for i in range(4)]

    def run(root, stop, told):
        mine = Store.open(root)
        for i in range(1000):
            mine.names.set(f"x.io/k:{i % 7}", targets[i % 4], {"round": str(i)})
            if i == stop:
                told()

    for _ in range(12):
        killed_after(run, store.root, chance.randrange(8), sign="set some names")
        assert all(row.target.digest for row in Store.open(store.root).names.all())
    store.names.set(DEBIAN, targets[0], {})
    assert store.names.get(DEBIAN)


@pytest.mark.root
def test_on_a_full_disk_names_can_still_be_removed(tiny_disk):
    store = Store.open(str(tiny_disk / "root"))
    for i in range(100):
        store.names.set(f"x.io/a:{i}", target(store, str(i)), {})
    data = bytes(100_000)
    fill(tiny_disk / "ballast", len(data))
    with pytest.raises(DiskFull):
        store.blobs.put(data)
    for i in range(50):
        store.names.remove(f"x.io/a:{i}")
    assert len(listed(store)) == 50
    assert store.collect().count == 50


def write_index(store, *rows):
    document = {
        "schemaVersion": 2,
        "manifests": [
            {**row.to_json(), "annotations": {"org.opencontainers.image.ref.name": name}}
            for name, row in rows
        ],
    }
    with open(os.path.join(store.root, "index.json"), "wb") as file:
        file.write(encode(document))


def test_short_names_that_other_tools_wrote_are_completed(store):
    one, two = target(store, "one"), target(store, "two")
    write_index(store, ("alpine:3", one), ("me/app:v1", two), ("localhost/a:1", one))
    assert listed(store) == [
        ("docker.io/library/alpine:3", one.digest),
        ("docker.io/me/app:v1", two.digest),
        ("localhost/a:1", one.digest),
    ]
    store.names.set("docker.io/library/alpine:3", two, {})
    assert store.names.remove("docker.io/me/app:v1") is not None
    assert sorted(listed(store)) == [
        ("docker.io/library/alpine:3", two.digest),
        ("localhost/a:1", one.digest),
    ]


def test_a_bare_tag_of_another_tool_is_no_name_and_stays_for_that_tool(store):
    one = target(store, "one")
    write_index(store, ("latest", one), ("NOT/valid name", one))
    assert listed(store) == [("", one.digest), ("", one.digest)]
    store.names.set(DEBIAN, one, {})
    with open(os.path.join(store.root, "index.json"), encoding="utf-8") as file:
        names = [
            row["annotations"]["org.opencontainers.image.ref.name"]
            for row in json.load(file)["manifests"]
        ]
    assert names == ["latest", "NOT/valid name", DEBIAN]


def test_facts_are_noted_beside_the_names_that_stand_for_a_target_by_now(store):
    one, two = target(store, "one"), target(store, "two")
    store.names.set(DEBIAN, one, {"id": "1"})
    store.names.set(f"{DEBIAN}-two", two, {"id": "2"})
    store.names.keep(target(store, "three"), {})
    store.names.note(one, {"id": "one", "size": "9"})
    assert [(row.name, dict(row.facts)) for row in store.names.all()] == [
        (DEBIAN, {"id": "one", "size": "9"}),
        (f"{DEBIAN}-two", {"id": "2"}),
        ("", {}),
    ]
