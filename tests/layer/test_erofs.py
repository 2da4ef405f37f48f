"""Structures of the format, against known values."""

from zlib import crc32

from hypothesis import given
from hypothesis import strategies as st

from lamina.layer import erofs


def test_structures_have_their_sizes():
    assert (erofs.SUPER.size, erofs.INODE.size, erofs.DIRENT.size) == (128, 64, 12)
    assert erofs.HEADER_AT + erofs.HEADER.size <= erofs.SUPER_AT + erofs.BLOCK


def test_crc32c_of_the_known_vector():
    assert erofs.crc32c(b"123456789") ^ 0xFFFFFFFF == 0xE3069283


@given(st.lists(st.one_of(st.binary(max_size=300), st.integers(0, 200_000)), max_size=8))
def test_sums_are_those_of_the_whole_in_pieces_of_64_kib(pieces: list[bytes | int]):
    sums = erofs.ChunkSums()
    whole = b""
    for piece in pieces:
        if isinstance(piece, int):
            sums.zeros(piece)
            whole += bytes(piece)
        else:
            sums.update(piece)
            whole += piece
    wanted = [
        crc32(whole[at : at + erofs.CHUNK_SIZE]) for at in range(0, len(whole), erofs.CHUNK_SIZE)
    ]
    assert sums.finish() == b"".join(value.to_bytes(4, "little") for value in wanted)


@given(st.sets(st.binary(min_size=1, max_size=255), max_size=200))
def test_no_directory_block_is_larger_than_a_block(names: set[bytes]):
    ordered = sorted(names)
    ends, size = erofs.directory_blocks(ordered)
    start = 0
    for end in ends:
        block = erofs.pack_block(ordered[start:end], [0] * (end - start), [1] * (end - start))
        assert len(block) <= erofs.BLOCK
        start = end
    assert start == len(ordered)
    assert (len(ends) - 1) * erofs.BLOCK < max(size, 1) <= len(ends) * erofs.BLOCK or not ordered


def test_attribute_names_come_back():
    for name in ("user.a", "trusted.b.c", "security.capability", "system.posix_acl_access"):
        area = erofs.pack_xattrs(((name, b"value"),), b"path")
        assert len(area) % 4 == 0
        assert erofs.xattr_name(area[13], area[16 : 16 + area[12]]) == name
    assert erofs.pack_xattrs((("system.other", b""), ("nonsense", b""), ("user.", b"")), b"") == b""
    assert erofs.xattr_name(99, b"x") is None
