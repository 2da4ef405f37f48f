"""Folders of caches are known wherever they are, and what keeps them empty."""

from lamina.study.caches import BYTECODE, advice, cache_of, is_packaged


def test_a_cache_is_known_by_its_folder():
    found = [cache_of(folder) for folder in (
        b"var/lib/apt/lists/partial", b"home/me/.cache/pip/http", b"opt/var/lib/apt/lists", b"", b"etc",
    )]  # fmt: skip
    assert [one and one[0] for one in found] == ["apt", "pip", None, None, None]


def test_byte_code_of_packages_is_no_waste():
    assert (cache_of(b"srv/app/__pycache__") or ("",))[0] == BYTECODE
    assert cache_of(b"usr/lib/python3/__pycache__") is None
    assert is_packaged(b"srv/app/node_modules/x")
    assert not is_packaged(b"srv/app")


def test_the_advice_of_a_tool_names_each_of_its_folders():
    assert advice("apt").split("; ") == [
        "`apt-get clean` before the commit",
        "`rm -rf /var/lib/apt/lists/*` before the commit",
    ]
    assert advice("nobody's") == ""
