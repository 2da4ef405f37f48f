"""New configurations from old ones: instructions, history, manifests."""

import pytest

from lamina.image.edit import ChangeInvalid, append_layer, apply_changes, new_manifest
from lamina.spec.config import History, ImageConfig
from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.digest import Digest
from lamina.spec.manifest import Manifest, parse_manifest
from lamina.spec.wire import Document

LAYER = Digest.of(b"layer")
OTHER = Digest.of(b"other")
BASE: Document = {
    "architecture": "amd64",
    "os": "linux",
    "x-unknown": {"kept": True},
    "config": {"Env": ["A=1"]},
    "rootfs": {"type": "layers", "diff_ids": [str(LAYER)]},
    "history": [{"created_by": "FROM scratch"}],
}


@pytest.mark.parametrize(
    ("change", "key", "expected"),
    [
        ('CMD ["sh", "-c", "echo hi"]', "Cmd", ["sh", "-c", "echo hi"]),
        ("CMD echo hi", "Cmd", ["/bin/sh", "-c", "echo hi"]),
        ("CMD [broken", "Cmd", ["/bin/sh", "-c", "[broken"]),
        ('entrypoint ["/init"]', "Entrypoint", ["/init"]),
        ("ENV B=2 C='a b'", "Env", ["A=1", "B=2", "C=a b"]),
        ("ENV A 9 nine", "Env", ["A=9 nine"]),
        ("ENV A=9", "Env", ["A=9"]),
        ("EXPOSE 80 53/udp", "ExposedPorts", {"80/tcp": {}, "53/udp": {}}),
        ('LABEL a=b "c d"=e', "Labels", {"a": "b", "c d": "e"}),
        ("USER me:us", "User", "me:us"),
        ("VOLUME /data /logs", "Volumes", {"/data": {}, "/logs": {}}),
        ('VOLUME ["/data"]', "Volumes", {"/data": {}}),
        ("WORKDIR /srv/", "WorkingDir", "/srv"),
        ("WORKDIR sub", "WorkingDir", "/sub"),
        ("STOPSIGNAL SIGINT", "StopSignal", "SIGINT"),
        ("ONBUILD RUN make", "OnBuild", ["RUN make"]),
        ("HEALTHCHECK NONE", "Healthcheck", {"Test": ["NONE"]}),
        ("HEALTHCHECK CMD curl -f x", "Healthcheck", {"Test": ["CMD-SHELL", "curl -f x"]}),
        ('HEALTHCHECK CMD ["curl", "x"]', "Healthcheck", {"Test": ["CMD", "curl", "x"]}),
        ('SHELL ["/bin/bash", "-c"]', "Shell", ["/bin/bash", "-c"]),
    ],
)
def test_change_instruction_sets_its_field(change, key, expected):
    assert apply_changes({"Env": ["A=1"]}, [change])[key] == expected


@pytest.mark.parametrize(
    "change",
    ["", "RUN make", "FROM x", "CMD", "ENV A", "LABEL a", "EXPOSE http", "ONBUILD FROM x", "SHELL sh",
     "HEALTHCHECK curl", "ENV 'open"],
)  # fmt: skip
def test_senseless_change_is_refused_with_a_hint_or_reason(change):
    with pytest.raises(ChangeInvalid) as caught:
        apply_changes({}, [change])
    assert str(caught.value)


def test_changes_apply_in_order_and_leave_the_original_alone():
    before = {"Env": ["A=1"], "WorkingDir": "/a"}
    after = apply_changes(before, ["WORKDIR b", "WORKDIR c", "ENV A=2", "ENV A=3"])
    assert after["WorkingDir"] == "/a/b/c"
    assert after["Env"] == ["A=3"]
    assert before == {"Env": ["A=1"], "WorkingDir": "/a"}


def test_appended_layer_keeps_unknown_fields_and_adds_one_step():
    row = History(created="2026-01-01T00:00:00Z", comment="added", author="me")
    config = append_layer(BASE, diff_id=OTHER, row=row, settings={"Cmd": ["sh"]})
    assert config.diff_ids == (LAYER, OTHER)
    assert config.document["x-unknown"] == {"kept": True}
    assert config.document["author"] == "me"
    assert config.document["created"] == "2026-01-01T00:00:00Z"
    assert config.settings == {"Cmd": ["sh"]}
    assert [h.comment for h in config.history] == ["", "added"]
    assert BASE["rootfs"]["diff_ids"] == [str(LAYER)]


def test_step_without_layer_is_marked_empty():
    config = append_layer(BASE, diff_id=None, row=History(empty_layer=True), settings={})
    assert config.diff_ids == (LAYER,)
    assert config.document["history"][-1] == {"empty_layer": True}
    assert config.steps()[-1][1] is None


def test_author_of_the_base_is_not_passed_on():
    config = append_layer({**BASE, "author": "base"}, diff_id=OTHER, row=History(), settings={})
    assert "author" not in config.document


def test_same_parts_give_the_same_manifest_bytes_and_docker_types_become_oci():
    config = ImageConfig.build(BASE)
    layer = Descriptor(MediaType.DOCKER_LAYER_GZIP, OTHER, 7)
    manifest = new_manifest(config, [layer])
    assert manifest.raw == new_manifest(config, [layer]).raw
    again = parse_manifest(manifest.raw, MediaType.OCI_MANIFEST)
    assert isinstance(again, Manifest)
    assert again.layers[0].media_type == MediaType.OCI_LAYER_GZIP
    assert again.config.digest == config.digest
