"""docker-credential-* programs, by their protocol."""

import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from lamina.remote.credential_helper import CredentialHelper, HelperFailed, HelperMissing
from lamina.remote.credentials import Credentials
from lamina.remote.keychain import Keychain

# A helper that keeps each server's document in a file of its folder, as the real ones behave.
HELPER = """#!/bin/sh
store="{folder}"
case "$1" in
store) read -r line; name=$(printf %s "$line" | sed 's/.*"ServerURL":"\\([^"]*\\)".*/\\1/' | tr '/:' '__')
       printf '%s' "$line" > "$store/$name" ;;
get)   name=$(tr '/:' '__')
       if [ -f "$store/$name" ]; then cat "$store/$name"; else echo "credentials not found in native keychain"; exit 1; fi ;;
erase) name=$(tr '/:' '__')
       if [ -f "$store/$name" ]; then rm "$store/$name"; else echo "credentials not found in native keychain"; exit 1; fi ;;
list)  printf '{'; mark=
       for each in "$store"/*; do
         [ -f "$each" ] || continue
         printf '%s%s' "$mark" "$(sed 's/.*"ServerURL":\\("[^"]*"\\),"Username":\\("[^"]*"\\).*/\\1:\\2/' "$each")"; mark=,
       done; printf '}' ;;
esac
"""

MakeHelper = Callable[..., dict[str, str]]


@pytest.fixture
def make_helper(tmp_path: Path) -> MakeHelper:
    """Give a function that installs a helper and gives the environment to find it in."""

    def make(script: str = HELPER, name: str = "keeper") -> dict[str, str]:
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "kept").mkdir(exist_ok=True)
        path = tmp_path / "bin" / f"docker-credential-{name}"
        path.write_text(script.replace("{folder}", str(tmp_path / "kept")))
        path.chmod(0o755)
        return {"PATH": f"{tmp_path}/bin:/usr/bin:/bin"}

    return make


def test_what_was_stored_is_found_and_after_erasing_it_is_not(make_helper: MakeHelper) -> None:
    helper = CredentialHelper("keeper", make_helper())
    assert helper.get("reg.example:5000") is None
    helper.store("reg.example:5000", Credentials("alice", "pw"))
    assert helper.get("reg.example:5000") == Credentials("alice", "pw")
    assert helper.erase("reg.example:5000")
    assert not helper.erase("reg.example:5000")
    assert helper.get("reg.example:5000") is None


def test_what_a_helper_has_is_listed(make_helper: MakeHelper) -> None:
    helper = CredentialHelper("keeper", make_helper())
    assert helper.list() == {}
    helper.store("https://reg.example/v1/", Credentials("alice", "pw"))
    helper.store("other", Credentials("bob", "pw"))
    assert helper.list() == {"https://reg.example/v1/": "alice", "other": "bob"}


def test_a_helper_that_knows_the_registry_by_an_old_address_is_asked_by_that(
    make_helper: MakeHelper, tmp_path: Path
) -> None:
    environ = {**make_helper(), "HOME": str(tmp_path)}
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker/config.json").write_text('{"credsStore": "keeper"}')
    keychain = Keychain(str(tmp_path / "docker"), environ=environ)
    helper = CredentialHelper("keeper", environ)
    helper.store("https://reg.example/v2/", Credentials("alice", "pw"))
    helper.store("https://other.example", Credentials("bob", "pw"))
    assert keychain.get("reg.example") == Credentials("alice", "pw")
    assert keychain.get("reg.example:5000") is None
    assert keychain.erase("reg.example")
    assert keychain.get("reg.example") is None
    assert helper.list() == {"https://other.example": "bob"}


def test_an_identity_token_has_a_user_name_of_its_own(
    make_helper: MakeHelper, tmp_path: Path
) -> None:
    helper = CredentialHelper("keeper", make_helper())
    helper.store("reg", Credentials("alice", identity_token="id"))
    assert '"Username":"<token>"' in (tmp_path / "kept" / "reg").read_text()
    assert helper.get("reg") == Credentials(identity_token="id")


def test_a_missing_helper_is_named() -> None:
    with pytest.raises(HelperMissing, match="docker-credential-nosuch, which is not installed"):
        CredentialHelper("nosuch", {"PATH": "/nowhere"}).get("reg")
    with pytest.raises(HelperMissing):
        CredentialHelper("../evil", {"PATH": "/nowhere"}).get("reg")


def test_a_helper_that_fails_says_why(make_helper: MakeHelper) -> None:
    env = make_helper("#!/bin/sh\necho 'the keychain is locked'\nexit 1\n")
    with pytest.raises(HelperFailed, match="get failed: the keychain is locked"):
        CredentialHelper("keeper", env).get("reg")
    env = make_helper("#!/bin/sh\necho '{}'\n")
    with pytest.raises(HelperFailed, match="no user name and secret"):
        CredentialHelper("keeper", env).get("reg")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("cat {folder}/fifo", "no answer within .* s"),
        ("cat {folder}/fifo; :", "no answer within .* s"),  # a child that outlives it
        ("exec >&- 2>&-; read word < {folder}/fifo", "does not end within .* s"),
        ("exec yes", "says more than a mebibyte"),
        ("echo '['", "is not valid JSON"),
        ("head -c 99 /dev/urandom", "is not valid JSON"),
        ("kill -SEGV $$", "ended by signal 11"),
    ],
)
def test_a_helper_that_hangs_never_ends_or_talks_nonsense_is_given_up(
    make_helper: MakeHelper, tmp_path: Path, script: str, said: str
) -> None:
    env = make_helper(f"#!/bin/sh\n{script}\n")
    os.mkfifo(tmp_path / "kept/fifo")
    told = ""
    try:
        for timeout_s in (0.2, 2, 20) if "fifo" in script else (60,):  # the shell may come late
            with pytest.raises(HelperFailed) as caught:
                CredentialHelper("keeper", env, timeout_s=timeout_s).get("reg")
            told = str(caught.value)
            if re.search(said, told):
                break
        assert re.search(said, told)
    finally:
        with suppress(OSError):  # let the child go that may still wait there
            os.close(os.open(tmp_path / "kept/fifo", os.O_WRONLY | os.O_NONBLOCK))
