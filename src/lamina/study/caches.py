"""Folders that package managers fill with what nobody needs in an image, and how to keep them empty."""

__all__ = ["BYTECODE", "advice", "cache_of", "is_packaged"]

BYTECODE = "Python (bytecode)"
"""The name of the cache that Python makes of programs that ran; small ones are not worth a word."""

_CACHES: "tuple[tuple[bytes, str, str], ...]" = (
    (b"/var/cache/apt/", "apt", "`apt-get clean` before the commit"),
    (b"/var/lib/apt/lists/", "apt", "`rm -rf /var/lib/apt/lists/*` before the commit"),
    (b"/var/cache/apk/", "apk", "`apk add --no-cache`"),
    (b"/etc/apk/cache/", "apk", "`apk add --no-cache`"),
    (b"/var/cache/dnf/", "dnf", "`dnf clean all` before the commit"),
    (b"/var/cache/libdnf5/", "dnf", "`dnf clean all` before the commit"),
    (b"/var/cache/yum/", "yum", "`yum clean all` before the commit"),
    (b"/var/cache/zypp/", "zypper", "`zypper clean --all` before the commit"),
    (b"/var/cache/pacman/pkg/", "pacman", "`pacman -Scc` before the commit"),
    (b"/__pycache__/", BYTECODE, "run Python with PYTHONDONTWRITEBYTECODE=1, or remove them"),
    (b"/.cache/pip/", "pip", "`pip install --no-cache-dir`"),
    (b"/.cache/uv/", "uv", "`uv cache clean` before the commit"),
    (b"/.npm/_cacache/", "npm", "`npm cache clean --force` before the commit"),
    (b"/.cache/yarn/", "yarn", "`yarn cache clean` before the commit"),
    (b"/.cargo/registry/cache/", "cargo", "`rm -r ~/.cargo/registry/cache` before the commit"),
    (b"/.cache/go-build/", "go", "`go clean -cache` before the commit"),
    (b"/go/pkg/mod/cache/", "go", "`go clean -modcache` before the commit"),
    (b"/.gradle/caches/", "gradle", "`rm -r ~/.gradle/caches` before the commit"),
    (b"/.m2/repository/", "maven", "`rm -r ~/.m2/repository` before the commit"),
    (b"/.cache/composer/", "composer", "`composer clear-cache` before the commit"),
    (b"/conda/pkgs/", "conda", "`conda clean --all` before the commit"),
)
_FIXED = tuple(place for place, _, _ in _CACHES if place[1:5] in (b"var/", b"etc/"))
_ANYWHERE = tuple(place for place, _, _ in _CACHES if place not in _FIXED)
_PACKAGED_FIXED = (
    b"/usr/share/", b"/usr/lib/", b"/usr/include/", b"/usr/src/", b"/lib/", b"/var/lib/dpkg/",
)  # fmt: skip
_PACKAGED_ANYWHERE = (
    b"/site-packages/", b"/dist-packages/", b"/node_modules/", b"/.cargo/registry/", b"/go/pkg/mod/",
)  # fmt: skip


def cache_of(folder: bytes) -> tuple[str, str] | None:
    """Give whose cache `folder` (normal) is or lies in, and what keeps it empty; None if it is none.

    Byte code of installed packages is no waste: it makes them start quicker.
    """
    path = b"/" + folder + b"/" if folder else b"/"
    if not (path.startswith(_FIXED) or any(map(path.__contains__, _ANYWHERE))):
        return None  # most folders
    found = next(
        (
            (tool, hint)
            for place, tool, hint in _CACHES
            if (path.startswith(place) if place in _FIXED else place in path)
        ),
        None,
    )
    return None if found and found[0] == BYTECODE and is_packaged(folder) else found


def is_packaged(folder: bytes) -> bool:
    """Tell whether packages fill `folder` (normal), rather than people."""
    path = b"/" + folder + b"/" if folder else b"/"
    return path.startswith(_PACKAGED_FIXED) or any(map(path.__contains__, _PACKAGED_ANYWHERE))


def advice(tool: str) -> str:
    """Say what keeps the caches of `tool` out of an image; nothing for a tool that is not known."""
    return "; ".join(dict.fromkeys(hint for _, name, hint in _CACHES if name == tool))
