import pytest
from hypothesis import given
from tests.strategies import documents

from lamina.errors import Invalid
from lamina.spec.config import History, ImageConfig, check_settings
from lamina.spec.digest import Digest
from lamina.spec.wire import encode

LOW, HIGH = Digest.of(b"low"), Digest.of(b"high")
DOCUMENT = {
    "created": "2024-01-02T03:04:05Z",
    "architecture": "arm",
    "variant": "v7",
    "os": "linux",
    "config": {"Cmd": ["sh"]},
    "rootfs": {"type": "layers", "diff_ids": [str(LOW), str(HIGH)]},
    "history": [
        {"created_by": "ADD base"},
        {"created_by": "ENV a=b", "empty_layer": True},
        {"created_by": "RUN install", "comment": "hello", "author": "me"},
    ],
    "x-unknown": [1, 2],
}


def test_a_config_keeps_its_bytes_and_its_unknown_fields():
    raw = b"  " + encode(DOCUMENT)
    config = ImageConfig.from_json(raw)
    assert config.digest == Digest.of(raw)
    assert config.document["x-unknown"] == [1, 2]
    assert (config.diff_ids, str(config.platform)) == ((LOW, HIGH), "linux/arm/v7")
    assert (config.settings, config.created) == ({"Cmd": ["sh"]}, "2024-01-02T03:04:05Z")


def test_steps_pair_each_history_row_with_the_layer_it_made():
    steps = ImageConfig.build(DOCUMENT).steps()
    assert [(row.created_by, layer) for row, layer in steps] == [
        ("ADD base", LOW),
        ("ENV a=b", None),
        ("RUN install", HIGH),
    ]


def test_layers_beyond_the_history_appear_once_each():
    config = ImageConfig.build({**DOCUMENT, "history": []})
    assert [layer for _, layer in config.steps()] == [LOW, HIGH]


def test_history_beyond_the_layers_makes_no_layer():
    config = ImageConfig.build({**DOCUMENT, "rootfs": {"type": "layers", "diff_ids": [str(LOW)]}})
    assert [layer for _, layer in config.steps()] == [LOW, None, None]


def test_a_history_row_reads_back_as_written():
    row = History("2024-01-01T00:00:00Z", "RUN x", "me", "why", empty_layer=True)
    assert History.from_json(row.to_json()) == row
    assert History().to_json() == {}


def test_an_artifacts_config_says_that_it_is_no_image():
    with pytest.raises(Invalid, match=r"rootfs\.diff_ids") as caught:
        ImageConfig.from_json(b"{}")
    assert "artifact" in caught.value.hint


@pytest.mark.parametrize(
    "change",
    [{"rootfs": {"diff_ids": ["sha256:x"]}}, {"rootfs": {"diff_ids": [7]}}, {"history": {"a": 1}},
     {"history": [7]}, {"history": "text"}],
)  # fmt: skip
def test_a_malformed_config_is_refused(change: dict[str, object]):
    with pytest.raises(Invalid):
        ImageConfig.build({**DOCUMENT, **change})


@given(documents())
def test_any_json_is_a_config_or_is_refused(value: object):
    try:
        config = ImageConfig.from_json(encode(value))
    except Invalid:
        return
    assert config.steps() is not None
    assert isinstance(config.settings, dict)


def test_an_odd_config_is_read_anyway_by_those_who_only_look_and_says_what_is_odd():
    digest = Digest.of(b"layer")
    raw = encode({"rootfs": {"diff_ids": [digest]}, "history": "none", "created": "now"})
    odd = ImageConfig.read_anyway(raw)
    assert (odd.diff_ids, odd.history, odd.created) == ((digest,), (), "now")
    assert odd.odd == ("image configuration's `history` is not a list",)
    assert odd.digest == Digest.of(raw)
    more = odd.fitted([digest, Digest.of(b"blob")])
    assert more.diff_ids == (digest, Digest.of(b"blob"))
    assert more.odd[1:] == ("its configuration names 1 layers, its manifest 2",)
    assert odd.fitted([digest]) is odd
    with pytest.raises(Invalid):
        ImageConfig.read_anyway(b"{}")
    assert ImageConfig.read_anyway(b"{").odd


def test_the_same_document_gives_the_same_image_id():
    assert ImageConfig.build(DOCUMENT).digest == ImageConfig.build(dict(DOCUMENT)).digest


@pytest.mark.parametrize(
    ("name", "value"),
    [("Env", 5), ("Env", [5]), ("Cmd", "sh"), ("Entrypoint", [None]), ("Shell", 5), ("OnBuild", {"a": 1}),
     ("Labels", ["a"]), ("Labels", {"a": 5}), ("User", {"a": 1}), ("WorkingDir", 5), ("StopSignal", 9),
     ("Volumes", ["a"]), ("ExposedPorts", 7), ("Healthcheck", 5), ("Healthcheck", {"Test": 5}),
     ("Healthcheck", {"Test": ["CMD", "x"], "Interval": "1s"})],
)  # fmt: skip
def test_settings_of_another_kind_are_refused_by_name(name: str, value: object):
    good: dict[str, object] = {
        "Env": ["A=b"],
        "Cmd": None,
        "Labels": {"a": None},
        "Volumes": {"/v": {}},
        "User": "",
    }
    check_settings(good | {"Healthcheck": {"Test": ["NONE"], "Interval": 5}, "Shell": []})
    with pytest.raises(Invalid, match=f"value in {name} than"):
        check_settings(good | {name: value})
