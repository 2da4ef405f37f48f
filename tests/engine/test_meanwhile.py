"""What other commands remove, move, make or end between a look at it and its use.

Each test forces one interleaving: at a seam between the two the other command acts, whole.
"""

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.engine.worlds import import_image, merged
from tests.images import Piece, tar, tiny

from lamina.engine import archive, commit, creation, execution, fsck, push, removal
from lamina.engine.archives import ImportRequest
from lamina.engine.engine import Engine
from lamina.engine.images import Images
from lamina.engine.local import ImageUnknown
from lamina.engine.names import ContainerUnknown, Register
from lamina.engine.records import Records, hold
from lamina.engine.removal import ContainerInUse
from lamina.engine.requests import CreateRequest, VolumeMount
from lamina.snapshot.layers import Layers
from lamina.snapshot.snapshotter import Snapshotter, SnapshotUnknown
from lamina.store.blobs import BlobStore
from lamina.store.names import Names
from lamina.stream import files

Act = Callable[[Engine], object]
Arrange = Callable[..., None]


@pytest.fixture
def between(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Arrange:
    """Let another engine act once, right before or after the next call of `owner.name`."""

    def arrange(owner: object, name: str, act: Act, *, before: bool = False) -> None:
        original = getattr(owner, name)

        def other() -> None:
            monkeypatch.setattr(owner, name, original)
            with Engine(engine.settings) as another:
                act(another)

        def seam(*arguments: Any, **options: Any) -> Any:
            if before:
                other()
                return original(*arguments, **options)
            found = original(*arguments, **options)
            other()
            return found

        monkeypatch.setattr(owner, name, seam)

    return arrange


@pytest.fixture
def box(engine: Engine) -> str:
    """A container `box` that was made and never started."""
    engine.images.import_(
        io.BytesIO(tar([Piece("data", directory=True), Piece("data/f", b"body")])),
        ImportRequest(name="it", changes=("CMD true",)),
    )
    return str(engine.containers.create(CreateRequest("it", name="box")).id)


def drop_image(name: str) -> Act:
    return lambda other: other.images.remove(name, now=True)


def drop_box(other: Engine) -> None:
    other.containers.remove("box", force=True)


def test_the_files_of_an_image_removed_meanwhile_are_of_no_image(engine, between):
    import_image(engine, "app")
    between(Images, "find", drop_image("app"))
    with pytest.raises(ImageUnknown, match="No such image: app"), engine.images.tree("app"):
        pass


def test_the_files_of_a_name_that_moved_meanwhile_are_those_of_the_new_image(engine, between):
    import_image(engine, "app")
    import_image(engine, "next", [Piece("f", b"new")])

    def move(other: Engine) -> None:
        other.images.tag("next", "app")
        other.images.prune(now=True)

    between(Images, "find", move)
    with engine.images.tree("app") as tree:
        assert [path for path, _ in tree.walk()] == [b"", b"f"]


def test_an_image_that_loses_its_layers_while_it_is_described_is_unknown(engine, between):
    import_image(engine, "app")
    between(Images, "_read", drop_image("app"))
    with pytest.raises(ImageUnknown, match="No such image: app"):
        engine.images.inspect("app")


def test_an_image_is_tagged_though_its_name_goes_meanwhile(engine, between):
    made = import_image(engine, "app")
    between(Images, "resolve", drop_image("app"))
    engine.images.tag("app", "kept")
    assert engine.images.resolve("kept").id == made
    assert merged(engine, "kept")[b"etc/motd"] == b"hello\n"


def test_the_layers_of_an_image_are_told_whoever_else_goes(engine, between):
    import_image(engine, "app")
    import_image(engine, "other", [Piece("f", b"other")])
    between(Images, "list", drop_image("other"))
    assert [row.shared_with for row in engine.images.stack("app")] == [()]


def test_a_prune_passes_over_an_image_that_another_command_removes(engine, between):
    import_image(engine, "one")
    import_image(engine, "two", [Piece("f", b"two")])
    between(Images, "list", drop_image("one"))
    removed, _ = engine.images.prune(all_unused=True)
    assert [row.untagged for row in removed if row.untagged] == ["two:latest"]
    assert engine.images.list() == ()


def test_an_image_removed_before_it_is_copied_is_unknown(engine, between, tmp_path):
    import_image(engine, "app")
    between(Images, "find", drop_image("app"))
    with pytest.raises(ImageUnknown, match="No such image: app"):
        engine.images.copy("lamina:app", f"oci:{tmp_path}/out:v1")


def test_an_image_removed_while_it_is_copied_is_copied(engine, between, tmp_path):
    import_image(engine, "app")
    between(BlobStore, "has", drop_image("app"))
    engine.images.copy("lamina:app", f"oci:{tmp_path}/out:v1")
    assert engine.images.list() == ()


def test_of_all_tags_those_that_are_left_are_pushed(hub, alice, monkeypatch):
    name = f"{hub.address}/alice/tags"
    import_image(alice, f"{name}:a")
    alice.images.tag(f"{name}:a", f"{name}:b")
    listed = push.local_tags

    def late(engine, wanted):
        found = listed(engine, wanted)
        alice.images.remove(f"{name}:b")
        return found

    monkeypatch.setattr(push, "local_tags", late)
    assert [row.reference.tag for row in alice.images.push(name, all_tags=True)] == ["a"]


def test_a_sweep_passes_over_a_layer_that_another_process_found_cut_short(engine, monkeypatch):
    import_image(engine, "app")
    listed = Layers._all_files

    def stale(layers):
        found = list(listed(layers))
        return [*found, (found[0][0], f"{found[0][1]}-gone")] if found else []

    monkeypatch.setattr(Layers, "_all_files", stale)
    assert engine.layers.sweep((), since_ns=1).count == 0
    assert engine.layers.sweep(()).count == 1


@pytest.mark.root
def test_a_volume_is_filled_from_the_image_that_was_chosen_though_its_name_goes(engine, between):
    pieces = [Piece("data", directory=True), Piece("data/f", b"body")]
    import_image(engine, "it", pieces, "CMD true")
    between(creation, "config_document", drop_image("it"))
    mount = VolumeMount("volume", "kept", "/data")
    record = engine.containers.create(CreateRequest("it", mounts=(mount,)))
    assert os.listdir(record.mounts[0]["Source"]) == ["f"]


@pytest.mark.root
def test_an_image_removed_while_a_container_is_made_of_it_stays_for_its_commit(engine, between):
    made = import_image(engine, "it", [Piece("f", b"x")], "CMD true")
    between(creation, "config_document", drop_image("it"))
    engine.containers.create(CreateRequest("it", name="box"))
    assert [(image.id, image.names) for image in engine.images.list()] == [(made, ())]
    assert engine.images.resolve(str(engine.commit("box", "new"))).parent == made


@pytest.mark.root
@pytest.mark.parametrize("way", ["remove", "prune"])
def test_a_container_made_while_its_image_is_removed_can_be_committed(engine, between, way):
    made = import_image(engine, "it", [Piece("f", b"x")], "CMD true")

    def make(other: Engine) -> None:
        other.containers.create(CreateRequest("it", name="box"))

    between(Names, "take", make, before=True)
    if way == "remove":
        engine.images.remove("it", now=True)
    else:
        engine.images.prune(all_unused=True, now=True)
    assert [image.id for image in engine.images.list()] == [made]
    assert engine.images.resolve(str(engine.commit("box", "new"))).parent == made


@pytest.mark.root
def test_a_container_removed_while_it_is_about_to_start_is_unknown(engine, box, between):
    between(Records, "take", drop_box, before=True)
    with pytest.raises(ContainerUnknown, match="No such container: box"):
        engine.containers.start("box")
    assert engine.containers.register.ids() == []


@pytest.mark.root
def test_a_container_that_is_removed_by_two_is_removed_once(engine, box, between):
    between(Records, "take", drop_box, before=True)
    engine.containers.remove("box")
    assert engine.containers.register.ids() == []
    assert os.listdir(f"{engine.store.root}/snapshots/active") == []


@pytest.mark.root
def test_a_container_that_starts_while_it_is_removed_leaves_nothing_behind(
    engine, box, monkeypatch
):
    record = engine.containers.record("box")
    emptied = files._is_removed
    refused: list[ContainerUnknown] = []

    def late(name, parent, *, last):
        if name == record.folder and not refused:  # all in it is gone, the lock too
            with pytest.raises(ContainerUnknown, match="No such container: box") as caught:
                execution.start(engine, record, engine.containers.runtime)
            refused.append(caught.value)
        return emptied(name, parent, last=last)

    monkeypatch.setattr(files, "_is_removed", late)
    removal.remove(engine, record, volumes=False)
    assert refused
    assert engine.containers.register.ids() == []


@pytest.mark.root
def test_a_container_is_renamed_once_at_a_time(engine, box, between):
    between(
        Register, "renaming", lambda other: other.containers.rename("box", "first"), before=True
    )
    with pytest.raises(ContainerUnknown, match="No such container: box"):
        engine.containers.rename("box", "second")
    assert [record.name for record in engine.containers.records()] == ["first"]
    assert os.listdir(f"{engine.store.root}/containers/names") == ["first"]


@pytest.mark.root
def test_a_renaming_does_not_bring_back_what_is_removed(engine, box, between):
    between(Register, "renaming", drop_box, before=True)
    with pytest.raises(ContainerUnknown, match="No such container: box"):
        engine.containers.rename("box", "other")
    assert engine.containers.register.ids() == []
    assert os.listdir(f"{engine.store.root}/containers/names") == []


@pytest.mark.root
def test_a_renaming_of_a_folder_that_went_is_of_no_container(engine, box, between):
    between(
        Register, "claim", lambda _: files.remove_tree(f"{engine.containers.files.folder}/{box}")
    )
    with pytest.raises(ContainerUnknown, match="No such container: box"):
        engine.containers.rename("box", "other")
    assert "other" not in os.listdir(f"{engine.store.root}/containers/names")


@pytest.mark.root
def test_a_container_removed_meanwhile_is_left_out_of_sizes(engine, box, between):
    engine.containers.create(CreateRequest("it", name="stays"))
    between(Snapshotter, "usage", drop_box)
    names = [row.name for row in engine.containers.list(all=True, size=True)]
    between(Snapshotter, "usage", lambda other: other.containers.create(CreateRequest("it")))
    assert names in (["stays"], ["stays", "box"])  # by which was measured first
    assert [use.name for use in engine.containers.disk_use()] == ["stays"]


@pytest.mark.root
def test_a_container_that_lost_its_layer_is_not_left_out(engine, box):
    engine.snapshotter.remove(box)
    with pytest.raises(SnapshotUnknown):
        engine.containers.list(all=True, size=True)


@pytest.mark.root
def test_half_of_a_container_is_never_committed(engine, box, between):
    between(commit, "write_layer", drop_box)
    with pytest.raises(ContainerUnknown, match="No such container: box"):
        engine.commit("box", "half")
    assert [image.names for image in engine.images.list()] == [("docker.io/library/it:latest",)]


@pytest.mark.root
@pytest.mark.parametrize("deed", ["changes", "export", "copy_out", "path_stat", "copy_in", "tree"])
def test_what_is_read_of_a_container_that_goes_is_not_called_whole(engine, box, between, deed):
    def read() -> object:
        containers = engine.containers
        if deed == "tree":
            with containers.tree("box") as tree:
                return list(tree.walk())
        if deed == "copy_in":
            return containers.copy_in("box", "/", io.BytesIO(tar([Piece("n", b"new")])))
        if deed == "export":
            return containers.export("box", io.BytesIO().write)
        arguments = {"copy_out": ("/data", io.BytesIO().write), "path_stat": ("/data",)}
        return getattr(containers, deed)("box", *arguments.get(deed, ()))

    seams = {"tree": (Snapshotter, "stack"), "changes": (Snapshotter, "changed")}
    seams["export"] = seams["changes"]
    between(*seams.get(deed, (archive, "_running_root")), drop_box)
    with pytest.raises(ContainerUnknown, match="No such container: box"):
        read()


@pytest.mark.root
def test_a_container_made_while_the_store_is_checked_lacks_nothing(engine, box, between):
    between(
        Register, "ids", lambda other: other.containers.create(CreateRequest("it")), before=True
    )
    assert list(fsck._containers(engine)) == []


@pytest.mark.root
def test_waiting_for_a_container_that_was_removed_at_its_end_tells_no_code(engine, box, between):
    between(execution, "shim_socket", drop_box)
    with pytest.raises(ContainerUnknown, match="No such container: box"):
        engine.containers.wait("box")


@pytest.fixture
def world(engine: Engine) -> str:
    """A container `box` that waits for a file and then removes one of its image's."""
    engine.images.import_(io.BytesIO(tiny()), ImportRequest(name="tiny"))
    script = "while [ ! -e /go ]; do sleep 0.05; done; rm /bin/busybox"
    request = CreateRequest("tiny", ("sh", "-c", script), name="box")
    return str(engine.containers.create(request).id)


@pytest.mark.root
def test_a_container_that_starts_before_it_is_copied_to_is_mounted_once(engine, world, between):
    between(archive, "_running_root", lambda other: other.containers.start("box").close())
    engine.containers.copy_in("box", "/", io.BytesIO(tar([Piece("go")])))
    assert engine.containers.wait("box") == 0


@pytest.mark.root
def test_a_stopped_container_does_not_start_while_it_is_read(engine, box):
    folder = engine.containers.record("box").folder
    seen: list[bytes] = []

    def write(data: bytes) -> None:
        if not seen:
            with pytest.raises(BlockingIOError):
                hold(f"{folder}/lock")
            os.close(hold(f"{folder}/lock", shared=True))  # others may read
        seen.append(data)

    engine.containers.copy_out("box", "/data", write)
    assert seen
    os.close(hold(f"{folder}/lock"))


@pytest.mark.root
def test_those_who_read_a_stopped_container_leave_its_scratch_folder_alone(engine, box):
    """Mounting a writable layer empties that folder: of two who do it at once one may fail."""
    work = Path(engine.snapshotter.path(engine.containers.record("box").id), "work")
    engine.containers.copy_in("box", "/", io.BytesIO(tar([Piece("n", b"new")])))
    (work / "work" / "kept").touch()
    pieces: list[bytes] = []
    engine.containers.copy_out("box", "/n", pieces.append)
    assert b"new" in b"".join(pieces)
    assert (work / "work" / "kept").exists()
    engine.containers.copy_in("box", "/", io.BytesIO(tar([Piece("n", b"newer")])))
    assert not (work / "work" / "kept").exists()


@pytest.mark.root
def test_a_stopped_container_is_written_to_by_one_at_a_time(engine, box):
    folder = engine.containers.record("box").folder
    seen: list[int | None] = []

    class Stream(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            with pytest.raises(BlockingIOError):
                hold(f"{folder}/lock", shared=True)
            seen.append(size)
            return super().read(size)

    engine.containers.copy_in("box", "/", Stream(tar([Piece("n", b"new")])))
    assert seen
    os.close(hold(f"{folder}/lock"))


@pytest.mark.root
def test_a_container_that_stays_busy_is_said_to_be(engine, box, monkeypatch):
    monkeypatch.setattr(archive, "_BUSY_S", 0.0)
    lock = hold(f"{engine.containers.record('box').folder}/lock")
    with pytest.raises(ContainerInUse, match="container box is busy"):
        engine.containers.path_stat("box", "/data")
    os.close(lock)


def test_a_layer_made_once_more_stays_though_its_only_image_goes(engine, between):
    """It is the old file that serves, and that looks as if nobody had made it lately."""
    import_image(engine, "old", [Piece("f", b"same")])
    between(Layers, "accept", lambda other: other.images.remove("old", now=True))
    import_image(engine, "new", [Piece("f", b"same")], "LABEL of=another")
    assert merged(engine, "new") == {b"f": b"same"}
