"""Names that take away."""

import pytest

from lamina.layer.entry import EntryInvalid
from lamina.layer.whiteout import Whiteout, is_union_xattr, parse_whiteout


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        (b".wh.file", (Whiteout.PATH, b"file")),
        (b".wh..hidden", (Whiteout.PATH, b".hidden")),
        (b".wh.wh.x", (Whiteout.PATH, b"wh.x")),
        (b".wh..wh..opq", (Whiteout.OPAQUE, b"")),
        (b".wh..wh.plnk", (Whiteout.NOTHING, b"")),
    ],
)
def test_what_a_whiteout_means(name: bytes, meaning: tuple[Whiteout, bytes]):
    assert parse_whiteout(name) == meaning


@pytest.mark.parametrize("name", [b".wh.", b".wh..", b".wh..."])
def test_a_whiteout_of_nothing_is_invalid(name: bytes):
    with pytest.raises(EntryInvalid, match="names nothing"):
        parse_whiteout(name)


def test_orders_to_overlayfs_are_told_from_other_attributes():
    assert is_union_xattr("trusted.overlay.redirect")
    assert is_union_xattr("user.overlay.opaque")
    assert not is_union_xattr("trusted.overlayed")
    assert not is_union_xattr("user.x")
