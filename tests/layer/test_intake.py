"""The quick way from a tar to a tree: nothing but quicker than the parser and the tree together."""

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.layer.changesets import Piece, changesets
from tests.layer.trees import tar_of

from lamina.errors import Corrupt
from lamina.layer.index import PackedIndex
from lamina.layer.intake import Intake
from lamina.layer.tar import TarParser
from lamina.layer.tree import Directory, LayerTree

_FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
_NAMES = ["a", "./a", "a/", "b/c", "/b/c", "b/../b/d", "", ".", "..", "b/.wh.c", "b/.wh..wh..opq",
          ".wh.a", "n" * 255, "n" * 256, "long/" * 30 + "x", "p" * 90 + "/" + "q" * 90, "é"]  # fmt: skip
_KINDS = [tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE,
          tarfile.FIFOTYPE, tarfile.CONTTYPE]  # fmt: skip


def quick(data: bytes, step: int) -> object:
    tree = LayerTree()
    intake = Intake(tree)
    return outcome(tree, intake.take, intake.finish, data, step)


def complete(data: bytes, step: int) -> object:
    tree, parser = LayerTree(), TarParser()
    return outcome(tree, lambda piece: tree.add(parser.feed(piece)), parser.finish, data, step)


def outcome(tree: LayerTree, take, finish, data: bytes, step: int) -> object:
    """Give everything that sealing keeps of a tar, or that it is refused.

    Of several faults one way may name one and the other another, as they look in another order.
    """
    try:
        for at in range(0, len(data), step):
            take(data[at : at + step])
        finish()
    except Corrupt:
        return "refused"
    waiting = [(shared.path, shared.target) for shared in tree.pending]
    for shared in tree.pending:
        shared.inode = b"\1".ljust(64, b"\0")
    for deferred in tree.deferred:
        deferred.inode = b"\1".ljust(64, b"\0")
    late = [deferred.entry for deferred in tree.deferred]
    implied = unlisted(tree.root)
    packed = b"".join(PackedIndex().pack(tree.root, 8))
    return tree.entries, tree.content_size, waiting, late, implied, packed


def unlisted(directory: Directory) -> int:
    """Count the directories that no entry listed."""
    below = [child for child in directory.children.values() if isinstance(child, Directory)]
    return sum(map(unlisted, below)) + (not directory.listed)


@st.composite
def foreign(draw: st.DrawFn) -> bytes:
    """Entries of any name and kind, in the format of one of the builders."""
    buffer = io.BytesIO()
    with tarfile.open(  # noqa: TID251 - a builder's way of writing
        fileobj=buffer, mode="w", format=_FORMATS[draw(st.sampled_from(sorted(_FORMATS)))]
    ) as archive:
        for name in draw(st.lists(st.sampled_from(_NAMES), max_size=8)):
            info = tarfile.TarInfo(name)
            info.name = name  # as it is: with its slash at the end
            info.type = draw(st.sampled_from(_KINDS))
            info.linkname = draw(st.sampled_from(["a", "b/c", "../..", "t" * 120]))
            info.mtime = draw(st.sampled_from([0, 1_700_000_000, 1_700_000_000.25]))
            info.uid = draw(st.sampled_from([0, 1000]))
            info.size = draw(st.sampled_from([0, 1, 512, 700])) if info.isreg() else 0
            try:
                archive.addfile(info, io.BytesIO(b"x" * info.size))
            except ValueError:  # no room for the name in ustar
                continue
    return buffer.getvalue()


@given(changesets(), st.integers(1, 3000))
def test_our_own_tars_are_taken_as_the_parser_takes_them(items: list[Piece], step: int):
    data = tar_of(items)
    assert quick(data, step) == complete(data, len(data))


@given(foreign(), st.integers(1, 3000))
def test_foreign_tars_are_taken_or_refused_as_the_parser_does(data: bytes, step: int):
    assert quick(data, step) == complete(data, step)


@given(foreign(), st.data())
def test_damaged_headers_are_taken_or_refused_as_the_parser_does(
    data: bytes, choices: st.DataObject
):
    damaged = bytearray(data)
    for _ in range(choices.draw(st.integers(1, 3))):
        damaged[choices.draw(st.integers(0, len(data) - 1))] = choices.draw(
            st.sampled_from([0, 1, 0x20, 0x2F, 0x30, 0x37, 0x38, 0x80, 0xFF])
        )
    again = bytes(damaged)
    assert quick(again, 10240) == complete(again, 10240)
    mended = summed(damaged)
    assert quick(mended, 777) == complete(mended, 777)


def summed(data: bytearray) -> bytes:
    """Make every block that looks like a header state its own sum, so that damage passes."""
    for at in range(0, len(data) - 511, 512):
        if data[at + 257 : at + 262] == b"ustar":
            data[at + 148 : at + 156] = b" " * 8
            data[at + 148 : at + 156] = b"%06o\0 " % sum(data[at : at + 512])
    return bytes(data)


@pytest.mark.parametrize("form", sorted(_FORMATS))
def test_a_directory_replaced_by_a_link_and_filled_again_is_followed(form: str):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=_FORMATS[form]) as archive:  # noqa: TID251

        def add(name: str, letter: bytes, link: str = "") -> None:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = letter, link
            archive.addfile(info)

        for name in ("a", "b"):
            add(name, tarfile.DIRTYPE)
        add("a/one", tarfile.REGTYPE)
        add("a", tarfile.REGTYPE)  # a file where the directory was, …
        add("a", tarfile.SYMTYPE, "b")  # … and a link to another
        add("a/two", tarfile.REGTYPE)
    tree = LayerTree()
    Intake(tree).take(buffer.getvalue())
    assert sorted(tree.root.children) == [b"a", b"b"]
    found = tree.find(b"b/two")
    assert found is not None
    assert quick(buffer.getvalue(), 512) == complete(buffer.getvalue(), 512)
