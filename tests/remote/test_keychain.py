"""docker's config.json and its relatives, read and written."""

import stat
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.remote.test_credential_helper import HELPER

from lamina.remote.credentials import Credentials
from lamina.remote.keychain import ConfigInvalid, Keychain, server_key
from lamina.spec.wire import Document, decode, encode

ALICE = Credentials("alice", "pw")


def basic(user: str, password: str = "pw") -> str:
    return b64encode(f"{user}:{password}".encode()).decode()


def keychain(folder: Path, config: Document | None = None, **environ: str) -> Keychain:
    env = {"HOME": str(folder / "home"), "PATH": f"{folder}/bin:/usr/bin:/bin", **environ}
    made = Keychain(str(folder / "docker"), environ=env)
    if config is not None:
        (folder / "docker").mkdir()
        Path(made.path).write_bytes(encode(config))
    return made


def auths(**entries: str) -> Document:
    return {
        "auths": {name.replace("__", "/"): {"auth": basic(user)} for name, user in entries.items()}
    }


def user(found: Credentials | None) -> str:
    return found.username if found else ""


def test_nothing_stored_means_anonymous(tmp_path: Path) -> None:
    assert keychain(tmp_path).get("docker.io") is None
    assert not keychain(tmp_path).erase("docker.io")
    assert not (tmp_path / "docker").exists(), "asking leaves no trace"


def test_a_login_is_written_as_docker_writes_it(tmp_path: Path) -> None:
    ours = keychain(tmp_path)
    stored = ours.store("reg.example:5000", ALICE)
    assert (stored.place, stored.encrypted) == (ours.path, False)
    text = Path(ours.path).read_text()
    assert text == (
        '{\n\t"auths": {\n\t\t"reg.example:5000": {\n\t\t\t"auth": "YWxpY2U6cHc="\n\t\t}\n\t}\n}'
    )
    assert stat.S_IMODE(Path(ours.path).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "docker").stat().st_mode) == 0o700
    assert ours.get("reg.example:5000") == ALICE
    assert [each.name for each in (tmp_path / "docker").iterdir()] == ["config.json"]


def test_keys_we_do_not_know_are_kept_and_the_mode_too(tmp_path: Path) -> None:
    config = {
        "detachKeys": "ctrl-q",
        "proxies": {"default": {"x": ["  two  "]}},
        **auths(other="bob"),
    }
    ours = keychain(tmp_path, config)
    Path(ours.path).chmod(0o640)
    ours.store("reg.example", ALICE)
    written = decode(Path(ours.path).read_bytes())
    assert written.pop("auths").keys() == {"other", "reg.example"}
    assert written == {"detachKeys": "ctrl-q", "proxies": {"default": {"x": ["  two  "]}}}
    assert stat.S_IMODE(Path(ours.path).stat().st_mode) == 0o640


def test_a_config_that_is_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    real = tmp_path / "elsewhere" / "real.json"
    real.write_text("{}")
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "config.json").symlink_to(real)
    keychain(tmp_path).store("reg.example", ALICE)
    assert (tmp_path / "docker" / "config.json").is_symlink()
    assert "reg.example" in real.read_text()


def test_docker_io_has_the_old_address_as_its_key(tmp_path: Path) -> None:
    ours = keychain(tmp_path)
    ours.store("docker.io", ALICE)
    assert list(decode(Path(ours.path).read_bytes())["auths"]) == ["https://index.docker.io/v1/"]
    for name in ("docker.io", "index.docker.io", "registry-1.docker.io"):
        assert ours.get(name) == ALICE
        assert server_key(name) == "https://index.docker.io/v1/"
    assert ours.erase("docker.io")
    assert ours.get("docker.io") is None


@pytest.mark.parametrize(
    "key",
    ["reg.example", "https://reg.example", "https://reg.example/v1/", "http://reg.example/v2/"],
)
def test_old_forms_of_a_key_are_found_replaced_and_erased(tmp_path: Path, key: str) -> None:
    ours = keychain(tmp_path, {"auths": {key: {"auth": basic("old")}}})
    assert user(ours.get("reg.example")) == "old"
    ours.store("reg.example", ALICE)
    assert list(decode(Path(ours.path).read_bytes())["auths"]) == ["reg.example"]
    assert ours.erase("reg.example")
    assert decode(Path(ours.path).read_bytes())["auths"] == {}


def test_another_port_is_another_registry(tmp_path: Path) -> None:
    ours = keychain(tmp_path, {"auths": {"reg.example:5000": {"auth": basic("alice")}}})
    assert ours.get("reg.example") is None
    assert ours.get("reg.example:5001") is None


def test_the_longest_namespace_that_fits_wins(tmp_path: Path) -> None:
    config = {
        "auths": {
            "reg.example": {"auth": basic("all")},
            "reg.example/team": {"auth": basic("team")},
            "reg.example/team/app": {"auth": basic("app")},
        }
    }
    ours = keychain(tmp_path, config)
    expected = {
        "": "all",
        "other/app": "all",
        "team/x": "team",
        "team/app": "app",
        "team/app2": "team",
    }
    for repository, name in expected.items():
        assert user(ours.get("reg.example", repository)) == name


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"auth": basic("u", "p:w\0")}, Credentials("u", "p:w")),
        ({"username": "u", "password": "p"}, Credentials("u", "p")),
        ({"auth": basic("u", ""), "identitytoken": "id"}, Credentials("u", identity_token="id")),
        ({"registrytoken": "rt"}, Credentials(registry_token="rt")),
        ({}, None),
        ({"auth": "!!"}, None),
        ({"auth": 7, "username": None}, None),
        ("nonsense", None),
    ],
)
def test_every_form_of_an_entry_is_read(
    tmp_path: Path, entry: object, expected: Credentials | None
) -> None:
    assert keychain(tmp_path, {"auths": {"reg": entry}}).get("reg") == expected


def test_an_identity_token_is_kept_beside_the_name(tmp_path: Path) -> None:
    ours = keychain(tmp_path)
    ours.store("reg", Credentials("alice", identity_token="id"))
    entry = decode(Path(ours.path).read_bytes())["auths"]["reg"]
    assert entry == {"auth": b64encode(b"alice:").decode(), "identitytoken": "id"}
    ours.store("reg", Credentials(identity_token="id"))
    assert decode(Path(ours.path).read_bytes())["auths"]["reg"] == {"identitytoken": "id"}


def install_helper(folder: Path, name: str = "keeper") -> None:
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "kept").mkdir(exist_ok=True)
    path = folder / "bin" / f"docker-credential-{name}"
    path.write_text(HELPER.replace("{folder}", str(folder / "kept")))
    path.chmod(0o755)


@pytest.mark.parametrize(
    "config", [{"credsStore": "keeper"}, {"credHelpers": {"reg": "keeper"}, "credsStore": "nosuch"}]
)
def test_a_helper_keeps_the_password_and_the_file_only_the_name(
    tmp_path: Path, config: Document
) -> None:
    install_helper(tmp_path)
    ours = keychain(tmp_path, config)
    stored = ours.store("reg", ALICE)
    assert (stored.place, stored.encrypted) == ("keeper", True)
    assert decode(Path(ours.path).read_bytes())["auths"] == {"reg": {}}
    assert ours.get("reg") == ALICE
    assert ours.erase("reg")
    assert not ours.erase("reg")
    assert ours.get("reg") is None


def test_a_helper_that_knows_nothing_leaves_the_file_to_answer(tmp_path: Path) -> None:
    install_helper(tmp_path)
    ours = keychain(tmp_path, {"credsStore": "keeper", **auths(reg="old")})
    assert user(ours.get("reg")) == "old"


def test_the_sources_are_asked_in_order(tmp_path: Path) -> None:
    sources = [
        tmp_path / "explicit.json",
        tmp_path / "docker" / "config.json",
        tmp_path / "runtime" / "containers" / "auth.json",
        tmp_path / "home" / ".config" / "containers" / "auth.json",
    ]
    for path in sources:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(auths(reg=path.parent.name + path.stem)))
    (tmp_path / "home" / ".dockercfg").write_bytes(encode(auths(reg="ancient")["auths"]))
    ours = keychain(
        tmp_path,
        DOCKER_AUTH_CONFIG=encode(auths(reg="inline")).decode(),
        REGISTRY_AUTH_FILE=str(sources[0]),
        XDG_RUNTIME_DIR=str(tmp_path / "runtime"),
    )
    assert user(ours.get("reg")) == "inline"
    ours = keychain(
        tmp_path, REGISTRY_AUTH_FILE=str(sources[0]), XDG_RUNTIME_DIR=str(tmp_path / "runtime")
    )
    for path in sources:
        assert user(ours.get("reg")) == path.parent.name + path.stem
        path.unlink()
    assert user(ours.get("reg")) == "ancient"


@pytest.mark.parametrize("raw", [b"{", b"[]", b'{"auths": [1]}', b'{"auths": []}'])
def test_a_damaged_config_is_neither_guessed_nor_overwritten(tmp_path: Path, raw: bytes) -> None:
    ours = keychain(tmp_path, {})
    Path(ours.path).write_bytes(raw)
    with pytest.raises(ConfigInvalid, match=r"config\.json"):
        ours.get("reg")
    with pytest.raises(ConfigInvalid):
        ours.store("reg", ALICE)
    assert Path(ours.path).read_bytes() == raw


def test_an_empty_config_is_as_good_as_none(tmp_path: Path) -> None:
    ours = keychain(tmp_path, {})
    for raw in (b"", b" \n", b'{"auths": null}'):
        Path(ours.path).write_bytes(raw)
        assert ours.get("reg") is None
        ours.store("reg", ALICE)
        assert ours.get("reg") == ALICE


def test_logins_at_the_same_time_all_count(tmp_path: Path) -> None:
    registries = [f"reg{number}.example" for number in range(12)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda name: keychain(tmp_path).store(name, ALICE), registries))
    assert all(keychain(tmp_path).get(name) == ALICE for name in registries)
