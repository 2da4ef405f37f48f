"""Names of containers: generated ones, their form, and the registry that keeps each unique."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from fcntl import LOCK_EX, flock

from lamina.errors import AlreadyExists, Invalid, NotFound

__all__ = [
    "ContainerUnknown",
    "NameInvalid",
    "NameTaken",
    "Register",
    "check_name",
    "generate",
    "unknown",
]

_FIRST = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_REST = _FIRST + "_.-"
_SHORTEST = 2
_ID_LENGTH = 64
_TRIES = 20

_ADJECTIVES = [
    "able",
    "airy",
    "alert",
    "amber",
    "ample",
    "apt",
    "awake",
    "aware",
    "bold",
    "brave",
    "breezy",
    "bright",
    "brisk",
    "calm",
    "candid",
    "careful",
    "cheerful",
    "clear",
    "clever",
    "cordial",
    "cosy",
    "crisp",
    "curious",
    "daring",
    "deft",
    "eager",
    "early",
    "earnest",
    "easy",
    "exact",
    "fair",
    "fine",
    "firm",
    "fond",
    "frank",
    "free",
    "fresh",
    "gentle",
    "glad",
    "golden",
    "good",
    "grand",
    "great",
    "green",
    "handy",
    "happy",
    "hardy",
    "hearty",
    "honest",
    "hopeful",
    "humble",
    "ideal",
    "jolly",
    "jovial",
    "joyful",
    "just",
    "keen",
    "kind",
    "lasting",
    "light",
    "lively",
    "loyal",
    "lucid",
    "lucky",
    "mellow",
    "merry",
    "mighty",
    "mild",
    "modest",
    "neat",
    "nimble",
    "noble",
    "open",
    "patient",
    "plucky",
    "polite",
    "prompt",
    "proper",
    "proud",
    "quick",
    "quiet",
    "ready",
    "right",
    "robust",
    "serene",
    "sharp",
    "silver",
    "sincere",
    "smart",
    "smooth",
    "snug",
    "solid",
    "sound",
    "spry",
    "stable",
    "steady",
    "still",
    "strong",
    "sturdy",
    "subtle",
    "sunny",
    "sure",
    "swift",
    "tidy",
    "tranquil",
    "true",
    "trusty",
    "upbeat",
    "valiant",
    "vivid",
    "warm",
    "wise",
    "witty",
    "zesty",
]
_SURNAMES = [
    "abel",
    "agnesi",
    "allen",
    "ampere",
    "archimedes",
    "babbage",
    "banneker",
    "bardeen",
    "barton",
    "bell",
    "bernoulli",
    "blackwell",
    "bohr",
    "boole",
    "borg",
    "bose",
    "brahe",
    "brahmagupta",
    "buck",
    "burnell",
    "cannon",
    "cantor",
    "carson",
    "carver",
    "cerf",
    "chandrasekhar",
    "chatelet",
    "cori",
    "cray",
    "curie",
    "darwin",
    "dijkstra",
    "dirac",
    "drew",
    "easley",
    "edison",
    "einstein",
    "elion",
    "engelbart",
    "erdos",
    "euclid",
    "euler",
    "faraday",
    "fermat",
    "fermi",
    "feynman",
    "fourier",
    "franklin",
    "galileo",
    "galois",
    "gauss",
    "germain",
    "goeppert",
    "goodall",
    "haibt",
    "hamilton",
    "harvey",
    "hawking",
    "heisenberg",
    "hermann",
    "herschel",
    "hertz",
    "heyrovsky",
    "hilbert",
    "hodgkin",
    "hooke",
    "hopper",
    "huygens",
    "hypatia",
    "jackson",
    "jemison",
    "johnson",
    "joliot",
    "joule",
    "kalam",
    "kapitsa",
    "keller",
    "kepler",
    "khayyam",
    "khorana",
    "kilby",
    "kowalevski",
    "lagrange",
    "lamarr",
    "lamport",
    "laplace",
    "leavitt",
    "lehmann",
    "leibniz",
    "linnaeus",
    "liskov",
    "lovelace",
    "lumiere",
    "maxwell",
    "mayer",
    "mcclintock",
    "mclaren",
    "meitner",
    "mendel",
    "mendeleev",
    "mirzakhani",
    "moore",
    "morse",
    "neumann",
    "newton",
    "nightingale",
    "nobel",
    "noether",
    "noyce",
    "panini",
    "pare",
    "pascal",
    "pasteur",
    "payne",
    "perlman",
    "pike",
    "planck",
    "poincare",
    "raman",
    "ramanujan",
    "ride",
    "ritchie",
    "robinson",
    "rosen",
    "rubin",
    "saha",
    "sammet",
    "sanderson",
    "shannon",
    "shaw",
    "shirley",
    "shockley",
    "sinoussi",
    "snyder",
    "spence",
    "stallman",
    "sutherland",
    "swartz",
    "tesla",
    "tharp",
    "thompson",
    "torvalds",
    "turing",
    "varahamihira",
    "vaughan",
    "villani",
    "visvesvaraya",
    "volhard",
    "wescoff",
    "wiles",
    "williams",
    "wilson",
    "wing",
    "wozniak",
    "wright",
    "wu",
    "yalow",
    "yonath",
    "zhukovsky",
]


class NameInvalid(Invalid):
    """A container cannot be called that."""


class NameTaken(AlreadyExists):
    """Another container has the name."""


class ContainerUnknown(NotFound):
    """No container has that name or ID."""


def unknown(name: str) -> ContainerUnknown:
    """Say that there is no container `name`."""
    return ContainerUnknown(
        f"No such container: {name}", hint="`lamina ps -a` lists the containers there are"
    )


def generate() -> str:
    """Give a name of the kind `brave_lovelace`."""
    return f"{_ADJECTIVES[_below(len(_ADJECTIVES))]}_{_SURNAMES[_below(len(_SURNAMES))]}"


def _below(most: int) -> int:
    """Give any number below `most`. `random` and `secrets` cost a tenth of a container's start."""
    return int.from_bytes(os.urandom(8), "big") % most


def check_name(name: str) -> str:
    """Give `name` without its leading slash. Raises: NameInvalid."""
    bare = name.removeprefix("/")
    if len(bare) < _SHORTEST or bare[0] not in _FIRST or bare.strip(_REST):
        raise NameInvalid(
            f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
            hint="two letters at least, the first a letter or digit; digits, '_', '.' and '-' may follow",
        )
    return bare


class Register:
    """The names under one `containers` folder: links `names/<name>` that point at IDs.

    Making a link is atomic, so two processes never give one name to two containers.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._names = f"{folder}/names"

    def path(self, name: str) -> str:
        """Give the link of `name`."""
        return f"{self._names}/{name}"

    def claim(self, name: str, container: str) -> str:
        """Take `name`, or a generated one for an empty one; give it. Raises: NameTaken."""
        os.makedirs(self._names, mode=0o711, exist_ok=True)
        if name:
            self._link(check_name(name), container)
            return check_name(name)
        for attempt in range(_TRIES):
            chosen = generate() + ("" if attempt < _TRIES // 2 else str(_below(1000)))
            with suppress(NameTaken):
                self._link(chosen, container)
                return chosen
        raise NameTaken("no free name was found", hint="give one with --name")

    def _link(self, name: str, container: str) -> None:
        path = self.path(name)
        while True:
            try:
                os.symlink(container, path)
                return
            except FileExistsError:
                holder = self.holder(name)
            if holder and (holder == container or os.path.isdir(f"{self.folder}/{holder}")):
                break
            with suppress(FileNotFoundError):  # its container is gone: a removal was cut short
                os.unlink(path)
        if holder != container:
            raise NameTaken(
                f'Conflict. The container name "/{name}" is already in use by container "{holder}". '
                "You have to remove (or rename) that container to be able to reuse that name.",
                hint=f"`lamina rm {name}`, or choose another name",
            )

    def holder(self, name: str) -> str:
        """Give the ID that `name` points at, or nothing."""
        try:
            return os.readlink(self.path(name))
        except OSError:
            return ""

    def free(self, name: str, container: str) -> None:
        """Let `name` go if it is `container`'s."""
        if self.holder(name) == container:
            with suppress(FileNotFoundError):
                os.unlink(self.path(name))

    def free_all(self, container: str) -> None:
        """Let every name go that is `container`'s: one whose renaming was cut short has two."""
        with suppress(FileNotFoundError):
            for name in os.listdir(self._names):
                self.free(name, container)

    @contextmanager
    def renaming(self) -> Iterator[None]:
        """Keep `free_stale` out while a container has two names."""
        os.makedirs(self._names, mode=0o711, exist_ok=True)
        # The folder itself is the lock: on a full disk no file could be made.
        fd = os.open(self._names, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            flock(fd, LOCK_EX)
            yield
        finally:
            os.close(fd)

    def free_stale(self, name_of: Callable[[str], str]) -> None:
        """Let every name go whose container is gone or is called otherwise by now.

        `name_of(container)` gives what its record says, nothing where it has none yet.
        """
        if not os.path.isdir(self._names):
            return
        with self.renaming():
            for name in os.listdir(self._names):
                holder = self.holder(name)
                gone = not os.path.isdir(f"{self.folder}/{holder}")
                if gone or name_of(holder) not in ("", name):
                    self.free(name, holder)

    def ids(self) -> list[str]:
        """Give every container's ID, in no order."""
        try:
            return [name for name in os.listdir(self.folder) if len(name) == _ID_LENGTH]
        except FileNotFoundError:
            return []

    def resolve(self, text: str) -> str:
        """Give the ID of a container by name, ID or the start of its ID.

        Raises: ContainerUnknown, Invalid (the start fits several).
        """
        bare = text.removeprefix("/")
        if bare and "/" not in bare:
            holder = self.holder(bare)
            if holder and os.path.isdir(f"{self.folder}/{holder}"):
                return holder
            if len(bare) == _ID_LENGTH and os.path.isdir(f"{self.folder}/{bare}"):
                return bare
            fitting = [name for name in self.ids() if name.startswith(bare)]
            if len(fitting) > 1:
                raise Invalid(f"Multiple IDs found with provided prefix: {text}")
            if fitting:
                return fitting[0]
        raise unknown(text)
