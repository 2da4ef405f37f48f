"""Secrets of layers and configurations."""

from pathlib import Path

from tests.layer.test_view import ROOT, file, folder
from tests.study.piles import Items, pile

from lamina.spec.config import ImageConfig
from lamina.spec.wire import encode
from lamina.study.secrets import Secret, in_config, in_layers

KEY = b"-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n"


def test_each_layers_own_are_found_and_the_first_that_hides_each(tmp_path: Path):
    low: Items = [ROOT, folder(b"srv"), file(b"srv/a.key", KEY), file(b"srv/b.key", KEY)]
    middle: Items = [ROOT, folder(b"srv"), file(b"srv/a.key", KEY + b"2")]
    top: Items = [ROOT, file(b".wh.srv")]
    with pile(tmp_path, low, middle, top) as layers:
        assert list(in_layers(layers)) == [
            Secret("a private key", b"srv/a.key", 1, 2),
            Secret("a private key", b"srv/b.key", 1, 3),
            Secret("a private key", b"srv/a.key", 2, 3),
        ]


def test_the_environment_is_judged_by_names_and_values():
    document = {
        "config": {
            "Env": ["PATH=/bin", "DB_PASSWORD=x", "EMPTY_TOKEN=", "URL=redis://me:hunter22@db/0"]
        },
        "rootfs": {"type": "layers", "diff_ids": []},
        "os": "linux",
        "architecture": "amd64",
    }
    found = in_config(ImageConfig.from_json(encode(document)))
    assert [one.path for one in found] == [b"ENV DB_PASSWORD", b"ENV URL"]


def test_settings_in_a_form_of_somebodys_own_are_passed_over():
    document = {
        "config": {"Env": "TOKEN=abcdefgh12345678", "Labels": ["x"]},
        "rootfs": {"type": "layers", "diff_ids": []},
        "history": [{"created_by": ["x"]}],
    }
    assert list(in_config(ImageConfig.from_json(encode(document)))) == []
