"""Mounts of a container: what its record keeps, and what they keep from being removed."""

import io

import pytest
from tests.engine.worlds import import_image
from tests.images import Piece, tar

from lamina.engine.archives import ImportRequest
from lamina.engine.engine import Engine
from lamina.engine.local import ImageInUse
from lamina.engine.mounting import started_mounts
from lamina.engine.records import ContainerRecord
from lamina.engine.requests import CreateRequest
from lamina.engine.volume_mounts import MountInvalid, VolumeMount
from lamina.errors import Invalid

pytestmark = pytest.mark.root

PIECES = (
    Piece("data/", directory=True),
    Piece("data/f", b"shown"),
    Piece("link", link="data"),
)


def made(engine: Engine, *texts: str, short: bool = False) -> ContainerRecord:
    parse = VolumeMount.parse_volume if short else VolumeMount.parse_mount
    return engine.containers.create(CreateRequest("app", ("x",), mounts=tuple(map(parse, texts))))


@pytest.fixture
def shown(engine: Engine) -> Engine:
    import_image(engine, "app")
    engine.images.import_(io.BytesIO(tar(PIECES)), ImportRequest(name="shown"))
    return engine


def test_an_image_that_is_mounted_stays_as_long_as_the_container(shown: Engine):
    record = made(shown, "type=image,src=shown,dst=/i")
    image = shown.images.resolve("shown")
    assert record.images == (record.image_id, image.id)
    with pytest.raises(ImageInUse, match=f"container {record.id[:12]} is using"):
        shown.images.remove("shown")
    assert shown.images.prune(all_unused=True)[0] == ()
    shown.images.remove("shown", force=True)
    shown.images.prune()
    mounts, binds = started_mounts(shown, record, "/run/x")
    assert [mount.target for mount in mounts if mount.type != "erofs"] == ["/run/x/images/0"]
    assert (binds[0]["source"], binds[0]["options"][-1]) == ("/run/x/images/0", "ro")
    shown.containers.remove(record.id)
    shown.images.prune()
    assert image.id not in {row.id for row in shown.images.list()}


def test_a_path_within_an_image_is_looked_up_without_following_links(shown: Engine):
    for path in ("data", "data/f"):
        record = made(shown, f"type=image,src=shown,dst=/i,image-subpath={path}")
        assert started_mounts(shown, record, "/r").binds[0]["source"] == f"/r/images/0/{path}"
    for path in ("link", "link/f", "nosuch", "data/f/deeper"):
        with pytest.raises(MountInvalid, match="names no folder or file of it"):
            made(shown, f"type=image,src=shown,dst=/i,image-subpath={path}")
    with pytest.raises(MountInvalid, match="No such image: nosuch:latest"):
        made(shown, "type=image,src=nosuch,dst=/i")


def test_a_volume_with_a_file_system_is_one_place_for_all_containers(shown: Engine):
    options = {"type": "tmpfs", "device": "tmpfs", "o": "size=1m,ro"}
    shown.volumes.create("disk", options=options)
    first, second = made(shown, "src=disk,dst=/a"), made(shown, "src=disk,dst=/b")
    (one,), binds = started_mounts(shown, first, "/r1")
    assert started_mounts(shown, second, "/r2").mounts == (one,)
    assert (one.type, one.options) == ("tmpfs", ("size=1m", "ro"))
    assert one.target.startswith(f"{shown.settings.run_root}/volumes/")
    assert (binds[0]["source"], binds[0]["options"][-1]) == (one.target, "rro")
    shown_rows = shown.containers.inspect(first.id)["Mounts"]
    assert set(shown_rows[0]) == {
        "Type", "Source", "Destination", "Mode", "RW", "Propagation", "Name", "Driver",
    }  # fmt: skip
    with pytest.raises(MountInvalid, match="volume-subpath is not possible"):
        made(shown, "src=disk,dst=/a,volume-subpath=x")
    with pytest.raises(MountInvalid, match="U cannot give it away"):
        made(shown, "disk:/a:U", short=True)


def test_what_is_read_only_is_so_as_far_as_asked(shown: Engine, tmp_path):
    (tmp_path / "file").write_text("")
    record = made(
        shown,
        f"type=bind,src={tmp_path},dst=/a,ro",
        f"type=bind,src={tmp_path},dst=/b,ro,bind-recursive=writable",
        f"type=bind,src={tmp_path},dst=/c,ro,bind-recursive=readonly",
        f"type=bind,src={tmp_path},dst=/d,ro,bind-recursive=disabled",
        f"type=bind,src={tmp_path}/file,dst=/e,ro",
        f"type=bind,src={tmp_path},dst=/f",
        "type=tmpfs,dst=/g,ro",
    )
    binds = started_mounts(shown, record, "/r").binds
    options = {row["destination"]: (row["options"][0], row["options"][-1]) for row in binds}
    assert options == {
        "/a": ("rbind", "rro"),
        "/b": ("rbind", "ro"),
        "/c": ("rbind", "rro"),
        "/d": ("bind", "ro"),
        "/e": ("rbind", "ro"),
        "/f": ("rbind", "rw"),
        "/g": ("nosuid", "ro"),
    }
    (tmp_path / "file").unlink()
    with pytest.raises(Invalid, match="bind source path does not exist"):
        started_mounts(shown, record, "/r")


def test_a_start_makes_the_folder_again_that_v_made(shown: Engine, tmp_path):
    """As Docker does; `--mount`, which made none, refuses and does not advise what was not used."""
    folder = tmp_path / "made" / "here"
    record = made(shown, f"{folder}:/a", short=True)
    folder.rmdir()
    folder.parent.rmdir()
    record = shown.containers.record(record.id)
    assert started_mounts(shown, record, "/r").binds[0]["source"] == str(folder)
    assert folder.is_dir()
    assert "Make" not in shown.containers.inspect(record.id)["Mounts"][0]
    mounted = made(shown, f"type=bind,src={folder},dst=/a")
    folder.rmdir()
    with pytest.raises(Invalid, match="bind source path does not exist") as caught:
        started_mounts(shown, mounted, "/r")
    assert "-v" not in caught.value.hint
    assert not folder.exists()


def test_a_folder_to_mount_that_cannot_be_made_is_no_matter_of_where_images_are(
    shown: Engine, tmp_path
):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        MountInvalid, match=r"cannot make .*/file/x, which is to be mounted"
    ) as caught:
        made(shown, f"{tmp_path}/file/x:/a", short=True)
    assert "make it first" in caught.value.hint
