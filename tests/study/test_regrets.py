"""What is regrettable, by path and by content; what looks like it and is not."""

import pytest

from lamina.study.regrets import _HOST_KEY, Regrets, in_environment

KEY = b"-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\n"


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (KEY, "a private key"),
        (b"aws_access_key_id = AKIA" + b"Q7" * 8, "an access key of AWS"),
        (b"ghp_" + b"a1B" * 12, "a token of GitHub"),
        (b"xoxb-1234567890-abc", "a token of Slack"),
        (b"//registry.example/:_authToken=0123456789abcdef", "a token of npm"),
        (b"hf_" + b"aB" * 17, "a token of Hugging Face"),
    ],
)
def test_a_secret_is_known_by_its_content(data: bytes, what: str):
    regrets = Regrets()
    regrets.content(b"srv/file", b"before\n" + data + b"\nafter")
    assert [row.text for row in regrets.found()] == [f"{what}: /srv/file"]


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("usr/lib/python3/dist-packages/x.pem", KEY),
        ("opt/venv/lib/python3.11/site-packages/x.pem", KEY),
        ("srv/node_modules/x/key.pem", KEY),
        ("srv/readme", b"begin with -----BEGIN PRIVATE KEY----- and so on"),
        ("srv/readme", b"tokens begin with ghp_ or AKIA"),
        ("srv/source.py", KEY),  # looking into all source would double a commit's time
        ("srv/store/00c0ffee", KEY),  # named by a digest: what a program keeps
        ("srv/disk", b"\0" + KEY),  # no text
        ("srv/npmrc", b"//registry.example/:_authToken=${NPM_TOKEN}"),
    ],
)
def test_examples_and_talk_of_secrets_are_none(path: str, data: bytes):
    regrets = Regrets()
    regrets.content(path.encode(), data)
    assert regrets.found() == ()


def test_of_each_folder_the_first_hundred_files_are_looked_into():
    regrets = Regrets()
    for folder in ("many", "more"):
        for number in range(101):
            regrets.content(f"srv/{folder}/file-{number}".encode(), KEY if number > 98 else b"text")
    texts = [row.text for row in regrets.found()]
    assert texts == ["a private key: /srv/many/file-99, /srv/more/file-99"]


def test_caches_are_summed_by_tool_and_empty_locks_are_none():
    regrets = Regrets()
    regrets.file(b"var/cache/apt/archives/lock", 0)
    regrets.file(b"home/me/.cache/pip/wheels/a", 1500)
    regrets.file(b"root/.cache/pip/http/b", 500)
    regrets.file(b"srv/var/cache/apt/not-the-cache", 500)
    assert [row.text for row in regrets.found()] == ["a package cache of pip: 2 files, 2kB"]


def test_a_variable_is_judged_by_its_name_or_its_value():
    rows = ["PATH=/bin", "DB_PASSWORD=x", "EMPTY_TOKEN=", "OTHER=ghp_" + "a1B" * 12]
    assert [row.text.split()[3] for row in in_environment(rows)] == ["DB_PASSWORD", "OTHER"]


def test_many_paths_are_shortened():
    regrets = Regrets()
    for number in range(8):
        regrets.file(b"home/%d/.netrc" % number, 10)
    (row,) = regrets.found()
    assert row.text.endswith("/home/4/.netrc and 3 more")


@pytest.mark.parametrize(
    ("path", "data", "what"),
    [
        ("app/.env", b"DB_PASSWORD=hunter22\n", "a password in settings: /app/.env"),
        ("etc/pip.conf", b"url = https://bot:s3cr3tly@host/", "a password in an address: /etc/pip.conf"),
        ("app/prod.env", b"DB_PASSWORD=hunter22\n", "a password in settings: /app/prod.env"),
        ("app/example.env", b"DB_PASSWORD=hunter22\n", ""),
        ("app/.env", b"DB_PASSWORD=$PASSWORD\nALLOW_EMPTY_PASSWORD=yes\n", ""),
        ("app/.env.example", b"DB_PASSWORD=hunter22\n", ""),
        ("app/.env", b"DB_PASSWORD=\nTOKEN=''\n", ""),
        ("etc/x.conf", b"url = https://user:password@host/ https://x:${PW}@host/ https://h:80/a@b", ""),
        ("etc/ssl/private/ssl-cert-snakeoil.key", KEY, ""),
    ],
)  # fmt: skip
def test_passwords_in_settings_are_told_from_placeholders(path: str, data: bytes, what: str):
    regrets = Regrets()
    regrets.content(path.encode(), data)
    assert [row.text for row in regrets.found()] == ([what] if what else [])


def test_memory_dumps_and_keys_are_known_by_their_place_and_told_once():
    regrets = Regrets()
    for path, size in (
        (b"srv/core", 1 << 20),
        (b"srv/core.77", 1 << 20),
        (b"srv/core.py", 1 << 20),
        (b"srv/core", 100),
        (b"home/me/.gnupg/private-keys-v1.d/A.key", 100),
        (b"etc/ssh/ssh_host_rsa_key", 100),
        (b"home/me/.aws/credentials", 100),
        (b"srv/app/__pycache__/a.pyc", 100_000),
        (b"usr/lib/python3/dist-packages/a/__pycache__/a.pyc", 100_000),
    ):
        regrets.file(path, size)
    regrets.content(b"home/me/.aws/credentials", b"id = AKIA" + b"A" * 16)
    regrets.content(b"etc/ssh/ssh_host_rsa_key", KEY)
    assert [row.text for row in regrets.found()] == [
        "a private key of GnuPG: /home/me/.gnupg/private-keys-v1.d/A.key",
        f"{_HOST_KEY}: /etc/ssh/ssh_host_rsa_key",
        "keys of AWS: /home/me/.aws/credentials",
        "a package cache of Python (bytecode): 1 file, 100kB",
        "a memory dump of a program that crashed: /srv/core, 1.049MB",
        "a memory dump of a program that crashed: /srv/core.77, 1.049MB",
    ]
    assert regrets.is_telling(b"home/me/.gnupg/private-keys-v1.d")
    assert not regrets.is_telling(b"home/me/.gnupg")
