"""What people regret to have put into a layer: keys and tokens, package caches, waste.

Judged by paths, and by the content of small files that no package manager put there: those of
packages are many, and full of keys that are examples.
"""

from lamina.study.caches import BYTECODE, cache_of, is_packaged
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lamina.layer.node import Layer, Node
    from lamina.layer.sealed import SealedLayer
    from lamina.study.runs import Run

__all__ = [
    "DUMP",
    "LOOKED",
    "TELLING_NAMES",
    "Looking",
    "Regret",
    "Regrets",
    "in_environment",
    "in_text",
    "masked",
    "of_layer",
    "seen_in",
    "telling",
]

LOOKED = 64 * 1024
"""Bytes of the largest file that is looked into; keys and settings are smaller."""

_FILE_FORM = 1  # of `layer.listing.FORMS`, which a commit would load for nothing else
_SHOWN = 5
_HOST_KEY = "a private key of an ssh server, which all containers of the image would share"
_NAMED = {
    b"id_rsa": "a private key of ssh", b"id_dsa": "a private key of ssh",
    b"id_ecdsa": "a private key of ssh", b"id_ed25519": "a private key of ssh",
    b".netrc": "passwords", b".git-credentials": "passwords of git", b".pgpass": "passwords",
    b".pypirc": "a token of PyPI", b".bash_history": "what was typed",
    b".ash_history": "what was typed", b".zsh_history": "what was typed",
    b"ssh_host_rsa_key": _HOST_KEY, b"ssh_host_ecdsa_key": _HOST_KEY,
    b"ssh_host_ed25519_key": _HOST_KEY, b"ssh_host_dsa_key": _HOST_KEY,
}  # fmt: skip
_PLACED = {
    b"/.docker/config.json": "logins to registries",
    b"/.aws/credentials": "keys of AWS",
    b"/.kube/config": "access to a cluster",
    b"/.config/gh/hosts.yml": "a token of GitHub",
}
_INSIDE = {b"/.gnupg/private-keys-v1.d/": "a private key of GnuPG"}
_PUBLIC_KEYS = frozenset((b"ssl-cert-snakeoil.key",))  # made by a package, trusted by nobody
DUMP = b"core."
"""How the name of a memory dump begins that has the process's number in it."""
_DUMPS = b"core"
_DUMPED = 64 * 1024
# What must be there, quickly found, and the expression that then has to match.
_CONTENT: "tuple[tuple[bytes, bytes, str], ...]" = (
    (
        b"PRIVATE KEY",
        rb"-----BEGIN [A-Z ]*PRIVATE KEY( BLOCK)?-----(\s|\\[nr])+[\w+/=:]{8}",
        "a private key",
    ),
    (
        b"://",
        rb"://(?!user|USER|name|NAME|login|LOGIN)[\w.+-]+:(?![$<{%*]|pass|PASS|xxx|secret@|pw@)[^\s/@:\"']{4,}@[\w.-]",
        "a password in an address",
    ),
    (b"AKIA", rb"\bAKIA[0-9A-Z]{16}\b", "an access key of AWS"),
    (b"gh", rb"\bgh[opsu]_[A-Za-z0-9]{36}\b", "a token of GitHub"),
    (b"github_pat_", rb"\bgithub_pat_\w{22,}", "a token of GitHub"),
    (b"glpat-", rb"\bglpat-[\w-]{20}", "a token of GitLab"),
    (b"xox", rb"\bxox[abprs]-[0-9A-Za-z-]{10,}", "a token of Slack"),
    (b"sk_live_", rb"\bsk_live_[0-9a-zA-Z]{24}", "a key of Stripe"),
    (b"AIza", rb"\bAIza[\w-]{35}\b", "a key of Google"),
    (b"npm_", rb"\bnpm_[A-Za-z0-9]{36}\b", "a token of npm"),
    (b"_authToken", rb"_authToken\s*=\s*[^\s$]{8}", "a token of npm"),
    (b"pypi-AgEI", rb"\bpypi-AgEI[\w-]{40,}", "a token of PyPI"),
    (b"dckr_pat_", rb"\bdckr_pat_[\w-]{20,}", "a token of Docker Hub"),
    (b"hf_", rb"\bhf_[A-Za-z]{34}\b", "a token of Hugging Face"),
    (b"sk-ant-", rb"\bsk-ant-[\w-]{40,}", "a key of Anthropic"),
)
# Settings, keys and scripts, and files without an ending: looking for a dozen things in all source
# and data would double a commit's time.
_ENDINGS = frozenset(
    b"asc bashrc cfg cnf conf config crt env envrc gpg ini json key npmrc p8 pem pgpass "
    b"profile properties pypirc secret sh token toml txt yaml yml yarnrc zshrc".split()
)
_PLACE_NAMES = (b"config.json", b"credentials", b"config", b"hosts.yml")
_EXAMPLES = (b"example", b"sample", b"template", b"dist", b"test")
TELLING_NAMES = frozenset((*_NAMED, *_PLACE_NAMES, _DUMPS))
"""Names of files that `Regrets.file` has to see wherever they are; of others their folder tells all."""

_HEX = b"0123456789abcdefABCDEF"
_PER_FOLDER = 100
_SWITCHES = frozenset(("true", "false", "yes", "no", "on", "off", "0", "1", "none", "null"))
_PLACES = ("_FILE", "_PATH", "_DIR")
_TELLING = ("PASSWORD", "PASSWD", "SECRET", "TOKEN", "API_KEY", "APIKEY", "PRIVATE_KEY")


@dataclass(frozen=True, slots=True)
class Regret:
    """One thing that is likely not meant to be in an image, and what to do about it."""

    text: str
    hint: str = ""


class Regrets:
    """Collects what is seen of one layer; `found` says it, the gravest first."""

    def __init__(self) -> None:
        self._secrets: dict[str, list[bytes]] = {}
        self._caches: dict[tuple[str, str], list[int]] = {}
        self._borrowed: list[tuple[int, str]] = []
        self._sparse: list[tuple[str, int, int]] = []
        self._dumps: list[tuple[str, int]] = []
        self._known: set[bytes] = set()
        self._folders: dict[bytes, tuple[tuple[str, str] | None, bool]] = {}
        self._folder = b""
        self._left = _PER_FOLDER

    def file(self, path: bytes, size: int) -> None:
        """Take note of a file by its path."""
        head, _, name = path.rpartition(b"/")
        cache, _ = self._folders.get(head) or self._judge(head)
        if cache is not None and size:
            sums = self._caches.setdefault(cache, [0, 0])
            sums[0] += 1
            sums[1] += size
        if name in _NAMED and size:
            self._secret(_NAMED[name], path)
        elif name in _PLACE_NAMES and size:
            for place, what in _PLACED.items():
                if (b"/" + path).endswith(place):
                    self._secret(what, path)
        elif size >= _DUMPED and (name == _DUMPS or (name[:5] == DUMP and name[5:].isdigit())):
            self._dumps.append((_shown(path), size))
        elif size:
            for place, what in _INSIDE.items():
                if place in b"/" + path:
                    self._secret(what, path)

    def is_telling(self, folder: bytes) -> bool:
        """Tell whether `file` has to see every file of a folder: all of it is waste, or keys."""
        cache, _ = self._folders.get(folder) or self._judge(folder)
        return cache is not None or any(map((b"/" + folder + b"/").__contains__, _INSIDE))

    def is_packaged(self, folder: bytes) -> bool:
        """Tell whether packages, or caches, fill a folder: `content` looks at nothing there."""
        return (self._folders.get(folder) or self._judge(folder))[1]

    def looks_into(self, path: bytes) -> bool:
        """Tell whether `content` would look at a text there: of most files nobody has to read it."""
        head, _, name = path.rpartition(b"/")
        if not _is_looked_into(name) or name in _NAMED:
            return False
        if head == self._folder and not self._left:
            return False
        return not (self._folders.get(head) or self._judge(head))[1]

    def content(self, path: bytes, data: bytes) -> None:
        """Look into a text of at most LOOKED bytes, if keys and tokens are put into its kind.

        Of each folder the first hundred are looked into: more are what a program keeps.
        """
        if not self.looks_into(path) or b"\0" in data:
            return
        head, _, name = path.rpartition(b"/")
        if head != self._folder:
            self._folder, self._left = head, _PER_FOLDER
        self._left -= 1
        for needle, expression, what in _CONTENT:
            if needle in data:
                import re

                if re.search(expression, data):
                    self._secret(what, path)
                    return
        is_example = name.endswith(_EXAMPLES) or name.startswith(_EXAMPLES)
        if (name[:4] == b".env" or name.endswith(b".env")) and not is_example:
            self._settings(path, data)

    def _settings(self, path: bytes, data: bytes) -> None:
        """Look for passwords in a file of settings for a program."""
        for line in data.decode("utf-8", "replace").splitlines():
            name, _, value = line.partition("=")
            if _gives_away(name.strip(), value.strip("\"' ")):
                self._secret("a password in settings", path)
                return

    def borrowed(self, path: bytes, size: int) -> None:
        """Take note of a file of the image of which the owner or mode alone was changed."""
        self._borrowed.append((size, _shown(path)))

    def sparse(self, path: bytes, size: int, held: int) -> None:
        """Take note of a file of `size` bytes of which only `held` are on the disk."""
        self._sparse.append((_shown(path), size, held))

    @property
    def secrets(self) -> "tuple[tuple[str, bytes], ...]":
        """Keys and the like: what each is, and its path."""
        return tuple((what, path) for what, paths in self._secrets.items() for path in paths)

    def found(self) -> tuple[Regret, ...]:
        """Say everything, the gravest first."""
        rows = [
            Regret(
                f"{what}: {_listed([_shown(path) for path in sorted(paths)])}",
                "whoever gets the image can read it; remove it, and take it out of use if it was pushed",
            )
            for what, paths in sorted(self._secrets.items())
        ]
        rows += [
            Regret(
                f"a package cache of {tool}: {_files(count)}, {_size(size)}",
                hint,
            )
            for (tool, hint), (count, size) in sorted(self._caches.items())
            if tool != BYTECODE or size >= _DUMPED
        ]
        rows += [
            Regret(
                f"a memory dump of a program that crashed: {path}, {_size(size)}",
                "remove it: it holds what the program knew, keys and passwords too",
            )
            for path, size in self._dumps
        ]
        if self._borrowed:
            size = sum(row[0] for row in self._borrowed)
            paths = [path for _, path in sorted(self._borrowed, reverse=True)]
            rows.append(
                Regret(
                    f"whole again for their owner, mode or time alone: "
                    f"{_files(len(paths))}, {_size(size)}: {_listed(paths)}",
                    "set owners and modes in the layer that brings the files",
                )
            )
        rows += [
            Regret(
                f"a sparse file: {path} takes {_size(held)} here and {_size(size)} elsewhere",
                "layers hold zeros for holes, and whoever unpacks the image writes them",
            )
            for path, size, held in self._sparse
        ]
        return tuple(rows)

    def _judge(self, folder: bytes) -> tuple[tuple[str, str] | None, bool]:
        """Tell which cache a folder belongs to, and whether packages fill it. Asked once a folder."""
        cache, packaged = cache_of(folder), is_packaged(folder)
        if len(self._folders) > 10_000:  # noqa: PLR2004 - folders, remembered
            self._folders.clear()
        self._folders[folder] = cache, packaged or cache is not None
        return self._folders[folder]

    def _secret(self, what: str, path: bytes) -> None:
        if path not in self._known:  # once is enough, in the words that came first
            self._known.add(path)
            self._secrets.setdefault(what, []).append(path)


def _is_looked_into(name: bytes) -> bool:
    """Tell by its name whether a file may be one that people put keys into."""
    _, dot, ending = name.rpartition(b".")
    if dot:
        return (ending in _ENDINGS or ending[:3] == b"env") and name not in _PUBLIC_KEYS
    return bool(name.strip(_HEX))  # a number or a digest: what a program keeps


def in_environment(variables: "Sequence[str]") -> "Iterator[Regret]":
    """Give what is regrettable among `NAME=value` settings: they are in every image for all to read."""
    for name in telling(variables):
        yield Regret(
            f"the environment variable {name} looks like a secret, and is part of the image",
            f"`--change 'ENV {name}='` leaves its value out",
        )


def telling(variables: "Sequence[str]") -> "Iterator[str]":
    """Give the names of those among `NAME=value` settings that look like secrets."""
    for variable in variables:
        name, _, value = variable.partition("=")
        if _gives_away(name, value) or in_text(value):
            yield name


def _gives_away(name: str, value: str) -> bool:
    """Tell whether a setting of that name holds a secret: not a switch, a place or another's name."""
    name = name.upper()
    if not value or value[0] == "$" or value.lower() in _SWITCHES:
        return False  # ALLOW_EMPTY_PASSWORD=yes, TOKENIZERS_PARALLELISM=false
    if value[0] == "/" and name.endswith(_PLACES):
        return False  # POSTGRES_PASSWORD_FILE=/run/secrets/db
    return any(word in name for word in _TELLING)


def masked(text: str) -> str:
    """Put `***` for all in a text that looks like a key or token: for who wants to know where one is."""
    import re

    data = text.encode("utf-8", "surrogatepass")
    for needle, form, _ in _CONTENT:
        if needle in data:
            data = re.sub(form, b"***", data)
    return data.decode("utf-8", "surrogatepass")


def in_text(text: str) -> str:
    """Say what a text has in it that looks like a key or a token; nothing if it does not."""
    import re

    data = text.encode(errors="replace")
    return next((what for _, form, what in _CONTENT if re.search(form, data)), "")


def of_layer(layer: "SealedLayer") -> tuple[Regret, ...]:
    """Look at a layer that is here. Costs a walk of its index, and a read of its small files."""
    return seen_in(layer).found()


def seen_in(layer: "Layer") -> Regrets:
    """Look at a layer that is here, and give all that was seen. Costs as `of_layer`."""
    from lamina.layer.view import Tree
    from lamina.study.runs import layer_runs

    looking = Looking()
    runs = layer_runs(layer)
    if runs is not None:
        for run in runs:
            looking.run(run)
        return looking.regrets
    for path, node in Tree.of((layer,)).walk():
        looking.file(path, node)
    return looking.regrets


class Looking:
    """Looks at the files of one layer, as a walk through it comes by them, sorted."""

    def __init__(self) -> None:
        self.regrets = Regrets()
        self._folder: bytes | None = None
        self._telling = self._packaged = False

    def _enter(self, folder: bytes) -> None:
        if folder != self._folder:
            self._folder = folder
            self._telling = self.regrets.is_telling(folder)
            self._packaged = self.regrets.is_packaged(folder)

    def file(self, path: bytes, node: "Node") -> None:
        """Look at one path."""
        if node.kind == "file":
            head, _, name = path.rpartition(b"/")
            self._enter(head)
            self._look(path, name, node)

    def run(self, run: "Run") -> None:
        """Look at many beside each other."""
        self._enter(run.prefix[:-1])
        names, forms = run.listed.names, run.listed.forms
        if self._packaged and not self._telling and TELLING_NAMES.isdisjoint(names):
            dumps = [name for name in names if name[:5] == DUMP]
            if not dumps:  # as in most directories of an image
                return
        for at, name in enumerate(names):
            if forms[at] == _FILE_FORM:
                self._look(run.prefix + name, name, run.node(at))

    def _look(self, path: bytes, name: bytes, node: "Node") -> None:
        regrets = self.regrets
        looked = not self._packaged and regrets.looks_into(path)
        if self._telling or looked or name in TELLING_NAMES or name[:5] == DUMP:
            size = node.size  # of all others not even the inode is read
            regrets.file(path, size)
            if looked and 0 < size <= LOOKED:
                regrets.content(path, node.layer.read(node))


def _shown(path: bytes) -> str:
    return "/" + path.decode("utf-8", "replace")


def _listed(paths: "Sequence[str]") -> str:
    more = len(paths) - _SHOWN
    return ", ".join(paths[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _files(count: int) -> str:
    return f"{count} file{'' if count == 1 else 's'}"


def _size(size: float) -> str:
    """Say bytes as people do; in thousands, as Docker."""
    units = ["TB", "GB", "MB", "kB", "B"]
    while size >= 1000 and len(units) > 1:  # noqa: PLR2004 - thousands
        size /= 1000
        units.pop()
    return f"{size:.4g}{units[-1]}"
