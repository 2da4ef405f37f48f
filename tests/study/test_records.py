"""The files that answers are read from are those that the databases name."""

import pytest

from lamina.study.records import is_record


@pytest.mark.parametrize(
    "path",
    [
        b"var/lib/dpkg/status",
        b"var/lib/dpkg/info/bash.list",
        b"var/lib/dpkg/status.d/base",
        b"lib/apk/db/installed",
        b"var/lib/rpm/rpmdb.sqlite",
        b"usr/lib/python3/dist-packages/six-1.16.0.egg-info",
        b"usr/lib/python3/dist-packages/six-1.16.0.dist-info/METADATA",
        b"opt/venv/lib/python3.12/site-packages/a.dist-info/RECORD",
        b"app/node_modules/left-pad/package.json",
        b"app/node_modules/@types/node/package.json",
        b"etc/os-release",
    ],
)
def test_what_says_which_packages_there_are_is_a_record(path: bytes) -> None:
    assert is_record(path)


@pytest.mark.parametrize(
    "path",
    [
        b"etc/passwd",
        b"var/lib/dpkg/info/bash.postinst",
        b"app/package.json",
        b"app/node_modules/a/lib/package.json",
        b"home/me/METADATA",
        b"",
    ],
)
def test_other_files_are_not(path: bytes) -> None:
    assert not is_record(path)
