"""Names people may take and passwords they may use, with words for what is wrong."""

import re

from lamina.hub.errors import FormInvalid, RepositoryNameInvalid, TagInvalid

__all__ = [
    "ACCESS_TOKEN_PREFIX",
    "HUB",
    "RESERVED",
    "ROBOT_TOKEN_PREFIX",
    "check_account",
    "check_repository",
    "check_tag",
    "is_account",
    "is_repository",
    "name_trouble",
    "namespace_of",
    "part_trouble",
    "password_trouble",
]

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = re.compile(_COMPONENT)
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})+")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_SHORTEST, _LONGEST = 2, 39
_REPOSITORY_LIMIT = 255
_PASSWORD_SHORTEST, _PASSWORD_LONGEST = 8, 256
_FEWEST_CHARACTERS = 4

ACCESS_TOKEN_PREFIX = "lamina_pat_"  # noqa: S105 - what tokens begin with
"""How every personal access token begins, and no password: the two come in the same field."""

ROBOT_TOKEN_PREFIX = "lamina_robot_"  # noqa: S105 - what tokens begin with
"""How every robot's token begins, and no password."""

HUB = "hub"
"""Stands for everything where a repository or a namespace could stand; nobody can have this name."""

RESERVED = frozenset(
    [
        "about",
        "account",
        "accounts",
        "admin",
        "api",
        "assets",
        "catalog",
        "dashboard",
        "docs",
        "explore",
        "favicon.ico",
        "health",
        "healthz",
        "help",
        "home",
        "hub",
        "images",
        "join",
        "lamina",
        "library",
        "login",
        "logout",
        "metrics",
        "new",
        "oauth",
        "official",
        "org",
        "orgs",
        "people",
        "privacy",
        "public",
        "readyz",
        "register",
        "registry",
        "repositories",
        "robots.txt",
        "root",
        "search",
        "security",
        "settings",
        "signin",
        "signout",
        "signup",
        "static",
        "status",
        "support",
        "system",
        "tags",
        "terms",
        "token",
        "tokens",
        "uploads",
        "user",
        "users",
        "v1",
        "v2",
        "v3",
        "webhooks",
        "www",
    ]
)
"""Names that are paths of the site, or that would make people believe their owner is us."""

_COMMON = frozenset(
    [
        "password",
        "passw0rd",
        "password1",
        "password12",
        "password123",
        "p@ssword",
        "p@ssw0rd",
        "12345678",
        "123456789",
        "1234567890",
        "0123456789",
        "87654321",
        "987654321",
        "11111111",
        "00000000",
        "12341234",
        "11223344",
        "qwertyui",
        "qwertyuiop",
        "qwerty12",
        "qwerty123",
        "qwertz123",
        "1q2w3e4r",
        "1qaz2wsx",
        "asdfghjk",
        "asdfghjkl",
        "zxcvbnm1",
        "letmein1",
        "iloveyou",
        "sunshine",
        "princess",
        "football",
        "baseball",
        "superman",
        "trustno1",
        "welcome1",
        "welcome123",
        "changeme",
        "changeme1",
        "changeit",
        "secret123",
        "admin123",
        "administrator",
        "adminadmin",
        "dockerhub",
        "docker123",
        "lamina123",
        "whatever",
        "starwars",
        "computer",
        "internet",
        "abcd1234",
        "abc12345",
        "abcdefgh",
        "aaaaaaaa",
    ]
)


def name_trouble(name: str) -> str:
    """Say what is wrong with the name of an account or organisation, as one sentence; empty: nothing."""
    trouble = part_trouble(name)
    if not trouble and name in RESERVED:
        return f"The name {name!r} is reserved for the hub itself; choose another"
    return trouble


def part_trouble(name: str) -> str:
    """Say what is wrong with the name of a team or robot, as one sentence; empty if nothing is."""
    if not name:
        return "Choose a name"
    if name != name.lower():
        return "Use lower-case letters only: the name becomes part of image names"
    if not _SHORTEST <= len(name) <= _LONGEST:
        return f"A name has {_SHORTEST} to {_LONGEST} characters; this one has {len(name)}"
    if not _NAME.fullmatch(name):
        return (
            "Use letters a-z, digits, and single '.', '_' or '-' between them,"
            " with a letter or digit at both ends"
        )
    return ""


def password_trouble(password: str, *, name: str = "") -> str:
    """Say what is wrong with a password, as one sentence; empty if nothing is."""
    if not _PASSWORD_SHORTEST <= len(password) <= _PASSWORD_LONGEST:
        return _length_trouble(password)
    for prefix in (ACCESS_TOKEN_PREFIX, ROBOT_TOKEN_PREFIX):
        if password.startswith(prefix):
            return f"A password does not begin with {prefix!r}: access tokens do"
    lower = password.lower()
    if lower in _COMMON:
        return "This password is on every list of common ones; choose another"
    if len(set(password)) < _FEWEST_CHARACTERS:
        return "This password repeats the same few characters; choose another"
    if name and lower in {name, name[::-1], name + name}:
        return "The password must not be the name"
    return ""


def _length_trouble(password: str) -> str:
    if len(password) < _PASSWORD_SHORTEST:
        return (
            f"A password has at least {_PASSWORD_SHORTEST} characters; a few words make a good one"
        )
    return f"A password has at most {_PASSWORD_LONGEST} characters"


def check_account(name: str, password: str) -> None:
    """Refuse a bad name or a weak password. Raises: FormInvalid."""
    fields = {"name": name_trouble(name), "password": password_trouble(password, name=name)}
    wrong = {field: text for field, text in fields.items() if text}
    if wrong:
        raise FormInvalid(wrong)


def is_account(name: str) -> bool:
    """Tell whether an account could have this name; one that is reserved or of an older hub, too."""
    return len(name) <= _LONGEST and _NAME.fullmatch(name) is not None


def is_repository(name: str) -> bool:
    """Tell whether `name` can be a repository here: `account/name`, maybe deeper."""
    return len(name) <= _REPOSITORY_LIMIT and _REPOSITORY.fullmatch(name) is not None


def check_repository(name: str) -> str:
    """Give `name` back. Raises: RepositoryNameInvalid."""
    if not is_repository(name):
        raise RepositoryNameInvalid(
            f"invalid repository name {name!r}",
            hint="a repository is ACCOUNT/NAME: lower-case letters, digits, and '.', '_', '-' between",
        )
    return name


def check_tag(tag: str) -> str:
    """Give `tag` back. Raises: TagInvalid."""
    if not _TAG.fullmatch(tag):
        raise TagInvalid(
            f"invalid tag {tag!r}", hint="use letters, digits, '.', '_', '-', at most 128 of them"
        )
    return tag


def namespace_of(repository: str) -> str:
    """Give the account a repository belongs to."""
    return repository.partition("/")[0]
