import pytest

from lamina.engine.block_io import check_block_io, device_number, parse_rate, parse_weight
from lamina.engine.limits import LimitInvalid
from lamina.spec.limits import Limits


def test_rows_are_read_with_dockers_units():
    assert parse_weight("/dev/sda:500") == ("/dev/sda", 500)
    assert parse_rate("/dev/sda:1mb", sized=True) == ("/dev/sda", 1 << 20)
    assert parse_rate("/dev/sda:1.5KB", sized=True) == ("/dev/sda", 1536)
    assert parse_rate("/dev/disk/by-id/a:b:7", sized=False) == ("/dev/disk/by-id/a:b", 7)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("500", "bad format: 500"),
        ("sda:500", "bad format for device path: sda:500"),
        ("/dev/sda:9", "invalid weight for device: /dev/sda:9"),
        ("/dev/sda:x", "invalid weight for device: /dev/sda:x"),
    ],
)
def test_a_weight_that_cannot_be_read_is_said_in_dockers_words(text, words):
    with pytest.raises(LimitInvalid, match=words):
        parse_weight(text)


@pytest.mark.parametrize(("text", "sized"), [("/dev/sda:1mb", False), ("/dev/sda:-1", True)])
def test_a_rate_that_cannot_be_read_says_how_it_is_written(text, sized):
    with pytest.raises(LimitInvalid, match="correct format is <device-path>:<number>"):
        parse_rate(text, sized=sized)


def test_a_device_must_be_there_and_have_blocks():
    with pytest.raises(LimitInvalid, match="no such device"):
        device_number("/dev/nothing-of-that-name")
    with pytest.raises(LimitInvalid, match="not a block device"):
        check_block_io(Limits(read_bps_devices=(("/dev/null", 1),)))
    with pytest.raises(LimitInvalid, match="from 10 to 1000"):
        check_block_io(Limits(io_weight=5))
