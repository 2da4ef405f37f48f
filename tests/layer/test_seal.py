"""Sealing: what goes in as a tar comes out as the same tree, by index, by mount and by unpacking."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from tests.layer.changesets import Piece, changesets
from tests.layer.trees import (
    Facts,
    erofs,
    extracted,
    facts_of_directory,
    facts_of_tree,
    gnu_tar,
    sealed,
    sealed_with,
    tar_of,
)

from lamina.errors import Corrupt
from lamina.layer.apply import unpack
from lamina.layer.entry import Entry, EntryInvalid, Kind
from lamina.layer.seal import Sealer
from lamina.layer.sealed import SealedLayer, SealedLayerCorrupt
from lamina.layer.tar import TarInvalid
from lamina.layer.view import Tree
from lamina.spec.digest import Digest

ROOT = Entry(b"", Kind.DIRECTORY, 0o755)


def file(path: bytes, **fields: object) -> Entry:
    return Entry(path, Kind.FILE)._replace(**fields)  # type: ignore[arg-type]


def directory(path: bytes, mode: int = 0o755) -> Entry:
    return Entry(path, Kind.DIRECTORY, mode)


def link(path: bytes, target: bytes) -> Entry:
    return Entry(path, Kind.HARDLINK, link=target)


def symlink(path: bytes, target: bytes) -> Entry:
    return Entry(path, Kind.SYMLINK, 0o777, link=target)


def timeless(facts: Facts) -> Facts:
    """Leave out directories' times: GNU tar forgets them where it returns to one."""
    return {
        path: fact[:4] + fact[5:] if fact[0] is Kind.DIRECTORY else fact
        for path, fact in facts.items()
    }


def names(layer: SealedLayer) -> list[bytes]:
    return [path for path, _ in layer.walk()]


def content(layer: SealedLayer, path: bytes) -> bytes:
    node = layer.lookup(path)
    assert node is not None, path
    return layer.read(node)


@given(changesets())
def test_the_same_tar_gives_the_same_sealed_bytes(items: list[Piece]):
    data = tar_of(items)
    with tempfile.TemporaryDirectory() as name:
        one, other = Path(name, "one"), Path(name, "other")
        sealed(one, data).close()
        with Sealer(str(other)) as sealer:
            for byte in range(0, len(data), 313):
                sealer.write(data[byte : byte + 313])
            sealer.finish(Digest.of(data))
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.root
@given(changesets())
def test_sealed_then_mounted_read_and_unpacked_is_what_gnu_tar_extracts(items: list[Piece]):
    data = tar_of(items)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        by_tar = facts_of_directory(extracted(data, folder / "tar"))
        with sealed(folder / "layer", data) as layer:
            layer.verify()
            wanted = facts_of_tree(Tree.of([layer]))
            assert timeless(wanted) == timeless(by_tar)
            with erofs(layer, folder / "mount") as mount:
                assert facts_of_directory(mount) == wanted
            target = folder / "unpacked"
            target.mkdir()
            unpack(layer, str(target), privileged=True)
            assert facts_of_directory(target) == wanted


@pytest.mark.root
@pytest.mark.parametrize("form", ["gnu", "posix", "ustar", "bsd"])
def test_a_real_tree_survives_in_every_format(tmp_path: Path, form: str):
    source = tmp_path / "source"
    (source / "deep" / ("n" * 60) / ("m" * 30)).mkdir(parents=True)
    (source / "file").write_bytes(os.urandom(70_000))
    (source / "empty").touch()
    (source / "deep" / ("n" * 60) / ("m" * 30) / "leaf").write_text("leaf")
    (source / "link").symlink_to("file")
    os.link(source / "file", source / "deep" / "hard")
    os.chown(source / "file", 1234, 5678)
    (source / "file").chmod(0o4711)
    os.mkfifo(source / "fifo")
    for number in range(300):
        (source / "deep" / f"{number}").write_text(str(number))
    with (source / "hole").open("wb") as hole:
        hole.seek(1 << 22)
        hole.write(b"end")
    for path in [*source.rglob("*"), source]:
        os.utime(path, ns=(0, 1_600_000_000_000_000_000), follow_symlinks=False)
    options = {"bsd": [], "posix": ["--xattrs", "--sparse"], "gnu": ["--sparse"]}.get(form, [])
    if form == "bsd":
        import subprocess

        command = ["bsdtar", "-C", str(source), "--format", "pax", "-cf", "-", "."]
        data = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    else:
        data = gnu_tar(source, f"--format={form}", *options)
    wanted = facts_of_directory(source)
    with sealed(tmp_path / "layer", data) as layer:
        assert facts_of_tree(Tree.of([layer])) == wanted
        with erofs(layer, tmp_path / "mount") as mount:
            assert facts_of_directory(mount) == wanted


def test_the_last_of_two_entries_with_one_path_wins(tmp_path: Path):
    data = tar_of([ROOT, (file(b"a"), b"first"), (file(b"./a"), b"second")])
    with sealed(tmp_path / "layer", data) as layer:
        assert content(layer, b"a") == b"second"


def test_a_directory_listed_after_its_children_keeps_them(tmp_path: Path):
    data = tar_of([(file(b"d/f"), b"x"), directory(b"d", 0o700), ROOT])
    layer, result = sealed_with(tmp_path / "layer", data)
    node = layer.lookup(b"d")
    assert node is not None
    assert (node.mode, content(layer, b"d/f")) == (0o700, b"x")
    assert not result.needs_parents


def test_a_file_in_place_of_a_directory_takes_the_children_away(tmp_path: Path):
    data = tar_of([ROOT, (file(b"d/f"), b"x"), (file(b"d"), b"plain")])
    with sealed(tmp_path / "layer", data) as layer:
        assert names(layer) == [b"", b"d"]


def test_a_parent_that_is_not_listed_takes_what_lower_layers_give_it(tmp_path: Path):
    low = tar_of([
        directory(b"", 0o711)._replace(mtime_ns=5),
        directory(b"d", 0o1777)._replace(uid=3, gid=4, mtime_ns=7, xattrs=(("user.x", b"y"),)),
    ])  # fmt: skip
    with sealed(tmp_path / "low", low) as parent:
        layer, result = sealed_with(tmp_path / "layer", tar_of([(file(b"d/e/f"), b"")]), [parent])
        assert result.needs_parents
        assert layer.needs_parents
        known, unknown = layer.lookup(b"d"), layer.lookup(b"d/e")
        assert known is not None
        assert unknown is not None
        assert (known.mode, known.uid, known.gid, known.mtime_ns) == (0o1777, 3, 4, 7)
        assert known.xattrs == (("user.x", b"y"),)
        assert (unknown.mode, unknown.uid, unknown.mtime_ns) == (0o755, 0, 0)
        assert layer.implied_root
        assert not parent.implied_root


def test_a_root_that_is_not_listed_needs_no_parents(tmp_path: Path):
    def never() -> list[SealedLayer]:
        raise AssertionError

    data = tar_of([directory(b"d"), (file(b"d/f"), b"")])
    with Sealer(str(tmp_path / "layer")) as sealer:
        sealer.write(data)
        assert not sealer.finish(Digest.of(data), never).needs_parents
    with SealedLayer.open(str(tmp_path / "layer")) as layer:
        assert (layer.implied_root, layer.needs_parents) == (True, False)
        layer.verify()


def test_parents_are_not_asked_for_when_everything_is_listed(tmp_path: Path):
    def never() -> list[SealedLayer]:
        raise AssertionError

    data = tar_of([ROOT, directory(b"d"), (file(b"d/f"), b"")])
    with Sealer(str(tmp_path / "layer")) as sealer:
        sealer.write(data)
        assert not sealer.finish(Digest.of(data), never).needs_parents


def test_hard_links_share_one_inode_and_count_their_names(tmp_path: Path):
    data = tar_of([ROOT, (file(b"a"), b"x"), link(b"b", b"a"), link(b"c", b"b")])
    with sealed(tmp_path / "layer", data) as layer:
        nodes = [layer.lookup(name) for name in (b"a", b"b", b"c")]
        assert len({node.nid for node in nodes if node}) == 1
        assert nodes[0] is not None
        assert nodes[0].nlink == 3


def test_a_hard_link_keeps_its_file_when_the_first_name_is_replaced(tmp_path: Path):
    data = tar_of([ROOT, (file(b"a"), b"old"), link(b"b", b"a"), (file(b"a"), b"new")])
    with sealed(tmp_path / "layer", data) as layer:
        assert (content(layer, b"a"), content(layer, b"b")) == (b"new", b"old")
        node = layer.lookup(b"b")
        assert node is not None
        assert node.nlink == 1


def test_a_hard_link_before_its_target_finds_it(tmp_path: Path):
    data = tar_of([ROOT, link(b"a", b"b"), link(b"b", b"z"), (file(b"z"), b"found")])
    with sealed(tmp_path / "layer", data) as layer:
        assert content(layer, b"a") == content(layer, b"b") == b"found"
        assert layer.lookup(b"a").nlink == 3  # type: ignore[union-attr]


def test_a_hard_link_into_a_lower_layer_gets_a_copy(tmp_path: Path):
    body = os.urandom(3_000_000)
    entry = file(b"d/big", mode=0o4755, uid=7, mtime_ns=9, xattrs=(("user.k", b"v"),))
    long = symlink(b"long", b"t" * 900)
    low = tar_of([ROOT, directory(b"d"), (entry, body), long])
    with sealed(tmp_path / "low", low) as parent:
        data = tar_of([ROOT, link(b"one", b"d/big"), link(b"two", b"d/big"), link(b"s", b"long")])
        layer, result = sealed_with(tmp_path / "layer", data, [parent])
        node = layer.lookup(b"one")
        assert result.needs_parents
        assert node is not None
        assert (node.mode, node.uid, node.mtime_ns, node.nlink) == (0o4755, 7, 9, 2)
        assert node.xattrs == (("user.k", b"v"),)
        assert content(layer, b"one") == content(layer, b"two") == body
        assert layer.lookup(b"s").target == b"t" * 900  # type: ignore[union-attr]
        layer.verify()


def test_a_hard_link_to_nothing_names_both_paths(tmp_path: Path):
    data = tar_of([ROOT, link(b"here", b"not/there")])
    with pytest.raises(EntryInvalid, match=r"'here'.*'not/there'"):
        sealed(tmp_path / "layer", data)


@pytest.mark.parametrize("ring", [[(b"a", b"b"), (b"b", b"a")], [(b"a", b"a")]])
def test_hard_links_in_a_ring_are_an_error_and_not_a_loop(
    tmp_path: Path, ring: list[tuple[bytes, bytes]]
):
    with pytest.raises(EntryInvalid, match="neither this layer"):
        sealed(tmp_path / "layer", tar_of([ROOT, *(link(*pair) for pair in ring)]))


def test_a_whiteout_becomes_a_device_and_an_opaque_mark_an_attribute(tmp_path: Path):
    data = tar_of([
        ROOT, directory(b"d"), (file(b"d/kept"), b""), file(b"d/.wh..wh..opq"), file(b".wh.gone"),
        file(b".wh..wh.plnk"), (file(b".wh..wh.aufs/x"), b""),
    ])  # fmt: skip
    with sealed(tmp_path / "layer", data) as layer:
        gone, opaque = layer.lookup(b"gone"), layer.lookup(b"d")
        assert gone is not None
        assert opaque is not None
        assert gone.is_whiteout
        assert opaque.opaque
        assert opaque.xattrs == ()
        assert names(layer) == [b"", b"d", b"d/kept", b"gone"]


@pytest.mark.parametrize("order", [1, -1])
def test_a_whiteout_never_hides_an_entry_of_its_own_layer(tmp_path: Path, order: int):
    items: list[Entry | tuple[Entry, bytes]]
    items = [(file(b"f"), b"mine"), file(b".wh.f"), (file(b"d/f"), b""), file(b".wh.d")]
    data = tar_of([ROOT, *items[::order]])
    with sealed(tmp_path / "layer", data) as layer:
        assert content(layer, b"f") == b"mine"
        assert layer.lookup(b"d").opaque  # type: ignore[union-attr]  # a new directory: the old one is gone


def test_a_path_through_a_symlink_of_the_layer_follows_it_within_the_root(tmp_path: Path):
    data = tar_of([
        ROOT, directory(b"usr"), directory(b"usr/bin"), symlink(b"bin", b"usr/bin"),
        symlink(b"out", b"../../../usr"), symlink(b"abs", b"/usr/bin"),
        (file(b"bin/one"), b"1"), (file(b"out/bin/two"), b"2"), (file(b"abs/three"), b"3"),
    ])  # fmt: skip
    with sealed(tmp_path / "layer", data) as layer:
        assert [name for name, _ in layer.listdir(b"usr/bin")] == [b"one", b"three", b"two"]
        assert layer.lookup(b"bin").kind is Kind.SYMLINK  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "items",
    [
        [symlink(b"a", b"b"), symlink(b"b", b"a"), (file(b"a/x"), b"")],
        [(file(b"a"), b""), (file(b"a/x"), b"")],
        [file(b".wh.")],
        [file(b".wh..")],
        [file(b".wh...")],
        [(file(b".wh.d/x"), b"")],
        [Entry(b"dev", Kind.CHARACTER, device=(5000, 1))],
        [symlink(b"s", b"t" * 5000)],
        [directory(b"d"), link(b"l", b"d")],
        [(file(b"a" * 300), b"")],
        [(file(b"x" * 300 + b"/f"), b"")],
        [(file(b"f", xattrs=(("user." + "n" * 300, b""),)), b"")],
    ],
    ids=str,
)
def test_what_no_file_system_can_hold_is_refused(
    tmp_path: Path, items: list[Entry | tuple[Entry, bytes]]
):
    with pytest.raises(EntryInvalid):
        sealed(tmp_path / "layer", tar_of([ROOT, *items]))


def test_overlay_orders_in_a_layer_are_left_out(tmp_path: Path):
    marks = (("trusted.overlay.redirect", b"/etc"), ("user.overlay.metacopy", b""), ("user.k", b""))
    data = tar_of([directory(b"")._replace(xattrs=marks), (file(b"f", xattrs=marks), b"x")])
    with sealed(tmp_path / "layer", data) as layer:
        assert layer.root.xattrs == layer.lookup(b"f").xattrs == (("user.k", b""),)  # type: ignore[union-attr]


def test_an_empty_tar_is_an_empty_layer(tmp_path: Path):
    for number, data in enumerate((b"", bytes(1024), bytes(10240))):
        layer, result = sealed_with(tmp_path / str(number), data)
        assert names(layer) == [b""]
        assert (result.entries, result.size) == (0, len(data))
        layer.verify()


def test_bytes_after_the_end_marker_are_kept(tmp_path: Path):
    data = tar_of([ROOT, (file(b"f"), b"x")]) + b"trailing" * 1000
    with sealed(tmp_path / "layer", data) as layer:
        assert b"".join(layer.tar()) == data
        layer.verify()


def test_an_unfinished_file_does_not_open(tmp_path: Path):
    with Sealer(str(tmp_path / "layer")) as sealer:
        sealer.write(tar_of([ROOT, (file(b"f"), b"x" * 9000)]))
    with pytest.raises(SealedLayerCorrupt, match="never finished"):
        SealedLayer.open(str(tmp_path / "layer"))


def test_an_aborted_file_is_gone_and_an_existing_one_is_not_touched(tmp_path: Path):
    sealer = Sealer(str(tmp_path / "layer"))
    with pytest.raises(FileExistsError):
        Sealer(str(tmp_path / "layer"))
    sealer.abort()
    sealer.abort()
    assert not (tmp_path / "layer").exists()


def test_a_tar_cut_short_is_refused_wherever_it_is_cut(tmp_path: Path):
    data = tar_of([ROOT, (file(b"f", mtime_ns=1), b"x" * 700), (file(b"g"), b"y" * 600)])
    end = len(data) - 1024 - (-600 % 512)
    for cut in range(0, end, 37):
        sealer = Sealer(str(tmp_path / "layer"))
        try:
            sealer.write(data[:cut])
            parser = sealer._intake._parser
            whole = parser._body_end <= parser.size <= parser._next
            if whole and not parser._records:
                continue  # between two entries: an archive without its end marker
            with pytest.raises(TarInvalid, match="tar ends"):
                sealer.finish(Digest.of(data[:cut]))
        finally:
            sealer.abort()


def test_a_terabyte_of_holes_costs_kilobytes(tmp_path: Path):
    import subprocess

    source = tmp_path / "source"
    source.mkdir()
    with (source / "lastlog").open("wb") as log:
        log.seek(1 << 39)
        log.write(b"login")
        log.truncate(1 << 40)
    command = ["tar", "-C", str(source), "--format=posix", "-Scf", "-", "lastlog"]
    data = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    with sealed(tmp_path / "layer", data) as layer:
        node = layer.lookup(b"lastlog")
        assert node is not None
        assert node.size == 1 << 40
        assert layer.read(node, (1 << 39) - 2, 9) == b"\0\0login\0\0"
        assert layer.read(node, 1 << 30, 4096) == bytes(4096)
        assert (tmp_path / "layer").stat().st_blocks * 512 < 200_000


@pytest.mark.root
def test_sparse_files_mount_with_their_holes(tmp_path: Path):
    source = tmp_path / "source"
    source.mkdir()
    body = bytearray(40 << 20)
    for at in (0, 4096 * 3, 1 << 20, (5 << 20) + 512, (30 << 20) - 7):
        body[at : at + 700] = os.urandom(700)
    for name, size in (("one", len(body)), ("two", (30 << 20) - 100), ("holes", 0)):
        with (source / name).open("wb") as target:
            for at in range(0, size, 512):
                if any(body[at : min(at + 512, size)]):
                    target.seek(at)
                    target.write(body[at : min(at + 512, size)])
            target.truncate(max(size, 99_999))
    for form in ("gnu", "posix", "pax0.0", "pax0.1"):
        version = [f"--sparse-version={form[3:]}"] if form.startswith("pax") else []
        name = "posix" if version else form
        data = gnu_tar(source, f"--format={name}", "--sparse", "--hole-detection=raw", *version)
        assert len(data) < 100_000
        with (
            sealed(tmp_path / form, data) as layer,
            erofs(layer, tmp_path / "mount") as mount,
        ):
            wanted = [facts[5:7] for facts in facts_of_directory(source).values()]
            assert [facts[5:7] for facts in facts_of_directory(mount).values()] == wanted
            assert [facts[5:7] for facts in facts_of_tree(Tree.of([layer])).values()] == wanted
            assert (tmp_path / form).stat().st_blocks * 512 < 400_000


@pytest.mark.root
def test_large_directories_and_deep_ones_mount(tmp_path: Path):
    deep = b"/".join([b"d"] * 1000)
    many: list[Entry | tuple[Entry, bytes]]
    many = [file(b"many/%d" % number) for number in range(5000)]
    data = tar_of([ROOT, directory(b"many"), (file(deep), b"deep"), *many])
    with sealed(tmp_path / "layer", data) as layer, erofs(layer, tmp_path / "mount") as mount:
        assert content(layer, deep) == b"deep"
        assert sorted(os.listdir(mount / "many")) == sorted(str(n) for n in range(5000))
        assert (mount / "many" / "4999").exists()
        assert not (mount / "many" / "5000").exists()
        assert layer.lookup(b"many/4999") is not None
        assert layer.lookup(b"many/5000") is None


@pytest.mark.parametrize("build", [Sealer])
def test_a_sealed_file_is_its_owners_alone(tmp_path: Path, build: Callable[[str], Sealer]):
    build(str(tmp_path / "layer")).close()
    assert (tmp_path / "layer").stat().st_mode & 0o777 == 0o600


def test_a_damaged_header_in_the_middle_is_corrupt(tmp_path: Path):
    data = bytearray(tar_of([ROOT, (file(b"f"), b"x"), (file(b"g"), b"y")]))
    data[512 + 3] ^= 1
    with pytest.raises(Corrupt, match="checksum"):
        sealed(tmp_path / "layer", bytes(data))
