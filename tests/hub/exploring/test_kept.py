"""Answers are packed in the database; those about one layer are taken out of those about an image."""

from lamina.hub.exploring.kept import answers_from, secrets_from
from lamina.spec.wire import encode
from lamina.stream.codec import compressor


def packed(count: int) -> bytes:
    rows = [
        {"what": "a key", "path": "a", "layer": 1, "hidden_by": 2},
        {"what": "a token", "path": "b\udcff", "layer": 2, "hidden_by": 0},
        {"what": "a token", "path": "ENV TOKEN", "layer": 0, "hidden_by": 0},
    ]
    machine = compressor("zstd", 1)
    data = encode({"secrets": rows, "secrets_in_all": count})
    return machine.compress(data) + machine.flush()


def test_what_was_packed_is_read_again():
    assert answers_from(packed(3))["secrets"][1]["path"] == "b\udcff"


def test_the_secrets_of_one_layer_are_told_unless_the_list_was_cut():
    assert secrets_from(packed(3), 1) == [("a key", "a")]
    assert secrets_from(packed(3), 2) == [("a token", "b\udcff")]
    assert secrets_from(packed(3), 3) == []
    assert secrets_from(packed(4), 1) is None
