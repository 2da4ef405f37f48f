"""Entries put in their places."""

import pytest

from lamina.layer.entry import Entry, EntryInvalid, Kind
from lamina.layer.tree import Directory, LayerTree, Shared, device_number


def names(directory: Directory) -> list[bytes]:
    return sorted(directory.children)


def test_entries_and_bytes_are_counted():
    tree = LayerTree()
    tree.add(
        [Entry(b"a", Kind.FILE, size=5), Entry(b"a", Kind.FILE, size=7), Entry(b".wh.b", Kind.FILE)]
    )
    assert (tree.entries, tree.content_size) == (3, 12)
    assert names(tree.root) == [b"a"]


def test_a_place_is_forgotten_when_what_leads_to_it_is_replaced():
    tree = LayerTree()
    tree.add([
        Entry(b"x", Kind.DIRECTORY), Entry(b"y", Kind.DIRECTORY),
        Entry(b"l", Kind.SYMLINK, link=b"x"), Entry(b"l/one", Kind.FILE),
        Entry(b"l", Kind.SYMLINK, link=b"y"), Entry(b"l/two", Kind.FILE),
        Entry(b"l", Kind.DIRECTORY), Entry(b"l/three", Kind.FILE),
    ])  # fmt: skip
    found = sorted(names(directory) for directory in tree.directories())
    assert found == [[b"l", b"x", b"y"], [b"one"], [b"three"], [b"two"]]


def test_a_symlink_out_of_the_root_stays_inside():
    tree = LayerTree()
    tree.add([Entry(b"l", Kind.SYMLINK, link=b"../../../etc"), Entry(b"l/passwd", Kind.FILE)])
    assert names(tree.root) == [b"etc", b"l"]


def test_a_shared_inode_is_found_through_all_its_aliases():
    first, second, third = Shared(b"inode"), Shared(None), Shared(None)
    second.alias, third.alias = first, second
    assert third.final() is first


def test_device_numbers_are_packed_as_linux_does():
    assert device_number((1, 3), b"null") == 0x103
    assert device_number((4095, 0xFFFFF), b"x") == 0xFFFFFFFF
    with pytest.raises(EntryInvalid):
        device_number((1, 1 << 20), b"x")
