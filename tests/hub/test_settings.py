"""Where the hub lives and listens."""

import re
from pathlib import Path

import pytest

from lamina.errors import Invalid
from lamina.hub.settings import VARIABLES, HubSettings, strange


def read(environ: dict[str, str], **more: str) -> HubSettings:
    return HubSettings.from_environment({"LAMINA_ROOT": "/data/lamina", **environ}, **more)


def test_defaults_are_the_engines_root_and_loopback():
    settings = read({})
    assert (settings.root, settings.host, settings.port) == ("/data/lamina/hub", "127.0.0.1", 5000)


def test_the_environment_and_then_the_command_line_win():
    assert read({"LAMINA_HUB_ROOT": "/srv/hub"}).root == "/srv/hub"
    settings = read({"LAMINA_HUB_ROOT": "/srv/hub"}, root="/other", address="0.0.0.0:80")
    assert (settings.root, settings.host, settings.port) == ("/other", "0.0.0.0", 80)
    assert read({"LAMINA_HUB_URL": "https://hub.example/"}).public_url == "https://hub.example"


def test_addresses_are_host_and_port():
    assert read({}, address="[::1]:5000").host == "::1"
    assert read({}, address=":0").host == "127.0.0.1"
    for address in ("localhost", "localhost:", "localhost:http", "localhost:70000"):
        with pytest.raises(Invalid):
            read({}, address=address)


def test_database_and_storage_come_from_words_the_environment_or_a_file(tmp_path):
    settings = read({"LAMINA_HUB_DATABASE": "postgresql://h/a", "LAMINA_HUB_STORAGE": "s3://b"})
    assert (settings.database, settings.storage) == ("postgresql://h/a", "s3://b")
    assert read(
        {"LAMINA_HUB_DATABASE": "postgresql://h/a"}, database="postgres://h/b"
    ).database == ("postgres://h/b")
    (tmp_path / "secret").write_text("postgresql://hub:hunter2@h/c\n")
    settings = read({"LAMINA_HUB_DATABASE_FILE": str(tmp_path / "secret")})
    assert settings.database == "postgresql://hub:hunter2@h/c"


def test_what_is_printed_of_a_database_has_no_password():
    settings = read(
        {}, database="postgresql://hub:hunter2@h:5/c?password=hunter2", storage="s3://b/x"
    )
    assert settings.places == "images in s3://b/x, accounts in postgresql://h:5/c"
    assert "hunter2" not in repr(settings) + settings.places
    assert read({}, storage="s3://b").places == "images in s3://b, accounts in /data/lamina/hub"
    assert read({}).places == "images in /data/lamina/hub"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LAMINA_HUB_DATABASE", "mysql://hub:hunter2@h/c"),
        ("LAMINA_HUB_DATABASE_FILE", "/no/such/file"),
        ("LAMINA_HUB_STORAGE", "/srv/images"),
    ],
)
def test_what_is_neither_is_refused_without_printing_it(name, value):
    with pytest.raises(Invalid) as refused:
        read({name: value})
    assert "hunter2" not in str(refused.value) + refused.value.hint


def test_certificate_metrics_and_log_come_from_words_or_the_environment(tmp_path):
    (tmp_path / "token").write_text("hunter2\n")
    settings = read(
        {
            "LAMINA_HUB_CERTIFICATE": "/a.crt",
            "LAMINA_HUB_KEY": "/a.key",
            "LAMINA_HUB_METRICS": "127.0.0.1:9090",
            "LAMINA_HUB_METRICS_TOKEN_FILE": str(tmp_path / "token"),
            "LAMINA_HUB_LOG": "json",
            "LAMINA_HUB_DRAIN_S": "7.5",
        },
        certificate="/b.crt",
    )
    assert (settings.certificate, settings.key) == ("/b.crt", "/a.key")
    assert (settings.metrics, settings.log) == ("127.0.0.1:9090", "json")
    assert (settings.metrics_token, settings.drain_s) == ("hunter2", 7.5)
    assert "hunter2" not in repr(settings)
    settings = read({"LAMINA_HUB_IMMUTABLE": "a/*:v*, *:latest"}, read_only="moving")
    assert (settings.immutable, settings.read_only) == (("a/*:v*", "*:latest"), "moving")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LAMINA_HUB_METRICS", "nowhere"),
        ("LAMINA_HUB_METRICS_TOKEN_FILE", "/no/such/file"),
        ("LAMINA_HUB_LOG", "xml"),
        ("LAMINA_HUB_IMMUTABLE", "v1"),
        ("LAMINA_HUB_DRAIN_S", "soon"),
        ("LAMINA_HUB_DRAIN_S", "nan"),
        ("LAMINA_HUB_DRAIN_S", "-1"),
    ],
)
def test_what_cannot_be_read_is_refused_before_anything_starts(name, value):
    with pytest.raises(Invalid):
        read({name: value})


def test_proxies_are_networks_and_nothing_else():
    assert read({"LAMINA_HUB_PROXIES": "10.0.0.0/8, fd00::/8"}).proxies == (
        "10.0.0.0/8",
        "fd00::/8",
    )
    with pytest.raises(Invalid, match="LAMINA_HUB_PROXIES"):
        read({"LAMINA_HUB_PROXIES": "my-proxy"})


def test_what_deploy_files_set_is_what_the_hub_reads():
    root = Path(__file__).resolve().parent.parent.parent
    read_here = set(
        re.findall(r"LAMINA_HUB_[A-Z_]+", (root / "src/lamina/hub/settings.py").read_text())
    )
    files = [path for path in (root / "deploy").rglob("*") if path.is_file()]
    assert len(files) >= 5
    for path in files:
        assert set(re.findall(r"LAMINA_HUB_[A-Z_]+", path.read_text())) <= read_here, path


def test_who_may_register_is_one_of_three():
    for word in ("open", "invitation", "closed"):
        environ = {"LAMINA_HUB_REGISTRATION": word, "HOME": "/nowhere"}
        assert HubSettings.from_environment(environ).registration == word
    with pytest.raises(Invalid, match="'invite' is not known"):
        HubSettings.from_environment({"LAMINA_HUB_REGISTRATION": "invite", "HOME": "/nowhere"})


def test_the_rate_of_reading_again_is_a_number_of_bytes():
    assert (
        HubSettings.from_environment({"LAMINA_HUB_SCRUB_RATE": "5000000"}).scrub_rate == 5_000_000
    )
    with pytest.raises(Invalid, match="SCRUB_RATE"):
        HubSettings.from_environment({"LAMINA_HUB_SCRUB_RATE": "5m"})


def test_networks_that_webhooks_may_be_in_are_read_and_a_word_is_none():
    assert read({}).webhook_networks == ()
    found = read({"LAMINA_HUB_WEBHOOK_NETWORKS": "10.20.0.0/16, fd12::/32"})
    assert found.webhook_networks == ("10.20.0.0/16", "fd12::/32")
    with pytest.raises(Invalid, match="LAMINA_HUB_WEBHOOK_NETWORKS"):
        read({"LAMINA_HUB_WEBHOOK_NETWORKS": "everything"})


def test_a_variable_that_is_none_of_a_hub_s_is_named_with_the_one_that_was_meant():
    settings = read({"LAMINA_HUB_REGISTRATON": "closed", "LAMINA_HUB_URL": "https://h.example"})
    assert settings.strange == ("LAMINA_HUB_REGISTRATON",)
    assert strange("LAMINA_HUB_REGISTRATON")[1] == "did you mean LAMINA_HUB_REGISTRATION?"
    assert "operating.md" in strange("LAMINA_HUB_QQQQ")[1]


def test_every_variable_that_is_read_or_written_of_is_known():
    root = Path(__file__).parents[2]
    places = [
        *(root / "src/lamina").rglob("*.py"),
        *(path for path in (root / "deploy").rglob("*") if path.is_file()),
        *(root / "docs").rglob("*.md"),
    ]
    name = re.compile(r"\bLAMINA_HUB_([A-Z][A-Z_]*[A-Z])\b")
    named = {found for path in places for found in name.findall(path.read_text("utf-8"))}
    assert named <= VARIABLES
    assert {each for each in VARIABLES if not each.endswith("_FILE")} <= named
