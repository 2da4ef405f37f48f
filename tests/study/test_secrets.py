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


def test_switches_and_places_are_no_secrets():
    environment = [
        "ALLOW_EMPTY_PASSWORD=yes", "TOKENIZERS_PARALLELISM=false", "SECRET_MODE=0",
        "POSTGRES_PASSWORD_FILE=/run/secrets/db", "TOKEN_FILE=abcdefgh", "API_TOKEN=/abcdefgh",
    ]  # fmt: skip
    document = {
        "config": {"Env": environment},
        "rootfs": {"type": "layers", "diff_ids": []},
    }
    found = in_config(ImageConfig.from_json(encode(document)))
    assert [one.path for one in found] == [b"ENV TOKEN_FILE", b"ENV API_TOKEN"]


def test_arguments_of_a_build_are_in_the_history_for_everybody():
    document = {
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": []},
        "history": [
            {"created_by": "RUN |2 VERSION=1 DB_PASSWORD=hunter2 /bin/sh -c make TOKEN=x"},
            {"created_by": "|1 API_KEY=abc /bin/sh -c make"},
            {"created_by": "|99999 TOKEN=x"},
            {"created_by": "RUN | TOKEN=x"},
        ],
    }
    assert list(in_config(ImageConfig.from_json(encode(document)))) == [
        Secret("a build argument", b"ARG DB_PASSWORD, step 1 of the history", 0),
        Secret("a build argument", b"ARG API_KEY, step 2 of the history", 0),
    ]


def test_a_key_within_json_is_found(tmp_path: Path):
    text = b'{"private_key": "-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADAN\\n"}'
    with pile(tmp_path, [ROOT, folder(b"app"), file(b"app/account.json", text)]) as layers:
        assert list(in_layers(layers)) == [Secret("a private key", b"app/account.json", 1)]


def test_settings_in_a_form_of_somebodys_own_are_passed_over():
    document = {
        "config": {"Env": "TOKEN=abcdefgh12345678", "Labels": ["x"]},
        "rootfs": {"type": "layers", "diff_ids": []},
        "history": [{"created_by": ["x"]}],
    }
    assert list(in_config(ImageConfig.from_json(encode(document)))) == []
