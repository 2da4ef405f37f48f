"""Rules that an image has to keep, as a pipeline asks: `waste<20MB`, `efficiency>0.95`, `no-secrets`.

A file of rules has one on each line; dive's `.dive-ci` is read, too.
"""

from fnmatch import fnmatchcase
from string import ascii_letters

from lamina.errors import Invalid
from lamina.study.drawing.markup import count_text, size_text
from lamina.values import Enum, dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from lamina.layer.node import CountedLayer
    from lamina.spec.config import ImageConfig
    from lamina.spec.manifest import Manifest
    from lamina.study.packages import Package
    from lamina.study.secrets import Secret
    from lamina.study.waste import Waste

__all__ = ["DEFAULTS", "Judged", "Rule", "RuleInvalid", "Verdict", "parse_file"]

_UNITS = {
    "": 1, "b": 1, "k": 1000, "kb": 1000, "m": 1000**2, "mb": 1000**2, "g": 1000**3, "gb": 1000**3,
    "t": 1000**4, "tb": 1000**4, "kib": 1024, "mib": 1024**2, "gib": 1024**3, "tib": 1024**4,
}  # fmt: skip
_SIGNS = ("<=", ">=", "<", ">", "=")
_DIVE = {
    "lowestefficiency": "efficiency>=",
    "highestwastedbytes": "waste<=",
    "highestuserwastedpercent": "user-waste<=",
}
_DIVES_OWN = {"lowestefficiency": "efficiency>=0.9", "highestuserwastedpercent": "user-waste<=0.1"}
_HUNDRED = 100
_OFF = ("disabled", "off", "false")


class RuleInvalid(Invalid):
    """A rule that is not understood. Exit code 125, as for flags."""

    exit_code = 125


class _Kind(Enum):
    """What a rule's figure is, and with it, how it is written."""

    SIZE = 1
    SHARE = 2
    COUNT = 3


class _Subject:
    """Something that rules are about: its figure, which grows worse with `worse`."""

    __slots__ = ("figure", "kind", "worse")

    def __init__(self, kind: _Kind, worse: str, figure: "Callable[[Judged], float]") -> None:
        self.kind = kind
        self.worse = worse
        self.figure = figure


class Judged:
    """An image that rules are about; of it is found out what they ask for, and once.

    `layers` are open, lowest first. `deep` waste reads most of the image.
    """

    def __init__(
        self,
        layers: "Sequence[CountedLayer]",
        config: "ImageConfig",
        manifest: "Manifest",
        *,
        deep: bool = False,
    ) -> None:
        self.sizes = tuple(layer.content_size for layer in layers)
        self.download = sum(layer.size for layer in manifest.layers)
        self._layers = layers
        self._config = config
        self._deep = deep
        self._waste: Waste | None = None
        self._secrets: tuple[Secret, ...] | None = None
        self._packages: tuple[Package, ...] | None = None

    def by(self, rules: "Iterable[Rule]") -> "tuple[Verdict, ...]":
        """Judge by rules, in their order. Raises: Corrupt."""
        return tuple(_judged(self, rule) for rule in rules)

    @property
    def waste(self) -> "Waste":
        """See `study.waste`."""
        if self._waste is None:
            from lamina.study.waste import waste

            self._waste = waste(self._layers, deep=self._deep)
        return self._waste

    @property
    def secrets(self) -> "tuple[Secret, ...]":
        """See `study.secrets`."""
        if self._secrets is None:
            from lamina.study.secrets import in_config, in_layers

            self._secrets = (*in_layers(self._layers), *in_config(self._config))
        return self._secrets

    @property
    def packages(self) -> "tuple[Package, ...]":
        """See `study.packages`."""
        if self._packages is None:
            from lamina.study.packages import packages

            self._packages = packages(self._layers)
        return self._packages


def _user_waste(found: Judged) -> float:
    """Give the share of waste in what is above the lowest layer, as dive counts."""
    above = sum(found.sizes[1:])
    return found.waste.size / above if above else 0.0


_SUBJECTS = {
    "waste": _Subject(_Kind.SIZE, ">", lambda found: found.waste.size),
    "efficiency": _Subject(_Kind.SHARE, "<", lambda found: found.waste.efficiency),
    "user-waste": _Subject(_Kind.SHARE, ">", _user_waste),
    "size": _Subject(_Kind.SIZE, ">", lambda found: sum(found.sizes)),
    "download": _Subject(_Kind.SIZE, ">", lambda found: found.download),
    "layers": _Subject(_Kind.COUNT, ">", lambda found: len(found.sizes)),
    "layer": _Subject(_Kind.SIZE, ">", lambda found: max(found.sizes, default=0)),
}
_LIMITS = {
    "max-size": "size",
    "max-download": "download",
    "max-layers": "layers",
    "max-layer": "layer",
}
_SECRETS, _PACKAGE = "no-secrets", "no-package"
_FORMS = (
    *[f"{name}{'>' if one.worse == '<' else '<'}…" for name, one in _SUBJECTS.items()],
    *[f"{name}=…" for name in _LIMITS],
    _SECRETS,
    f"{_PACKAGE}=NAME",
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: `text` as it was written. `name` is the same for rules that take each other's place."""

    text: str
    name: str
    subject: str
    sign: str
    limit: float
    word: str

    @classmethod
    def parse(cls, text: str) -> "Rule":
        """Read a rule. Raises: RuleInvalid."""
        written = text.strip()
        at = min((written.find(one) for one in _SIGNS if one in written), default=len(written))
        sign = next((one for one in _SIGNS if written.startswith(one, at)), "")
        name, value = written[:at].strip().lower(), written[at + len(sign) :].strip()
        if name == _SECRETS:
            if sign:
                raise RuleInvalid(f"rule `{written}`: {_SECRETS} stands alone")
            return cls(written, name, _SECRETS, "<=", 0, "")
        if name == _PACKAGE:
            if sign != "=" or not value:
                raise RuleInvalid(f"rule `{written}`: it is written {_PACKAGE}=NAME")
            return cls(written, f"{name}={value}", _PACKAGE, "<=", 0, value)
        if name in _LIMITS:
            if sign not in ("=", "<="):
                raise RuleInvalid(f"rule `{written}`: it is written {name}=LIMIT")
            subject = _LIMITS[name]
            return cls(written, subject, subject, "<=", _limit(written, subject, value), "")
        if name not in _SUBJECTS:
            raise RuleInvalid(f"no rule is called `{name or written}`", hint=_nearest(name))
        if sign in ("", "="):
            raise RuleInvalid(
                f"rule `{written}` compares with nothing", hint=f"as in `{_example(name)}`"
            )
        return cls(written, name, name, sign, _limit(written, name, value), "")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a rule: the `figure` it is about, and in words for people."""

    rule: Rule
    passed: bool
    figure: float
    said: str


def parse_file(text: str, *, name: str) -> tuple[Rule, ...]:
    """Read a file of rules, one on each line, `#` for notes; or what dive reads, where it has `rules:`.

    Of dive's, those that are not named hold as they do there. Raises: RuleInvalid (with the file's
    `name` and the line; also: it has none, and everything would pass).
    """
    rows = [
        (number, row.partition("#")[0].strip()) for number, row in enumerate(text.splitlines(), 1)
    ]
    rows = [(number, row) for number, row in rows if row and row != "---"]
    is_dive = any(row.replace(" ", "") == "rules:" for _, row in rows)
    if not rows:
        raise RuleInvalid(f"{name} has no rules", hint="a line for each, as `no-secrets`")
    found = _of_dive_unless_named([row for _, row in rows]) if is_dive else []
    for number, row in rows:
        try:
            if is_dive:
                found += _of_dive(row)
            else:
                found.append(Rule.parse(row))
        except RuleInvalid as error:
            raise RuleInvalid(f"{name}, line {number}: {error.message}", hint=error.hint) from None
    return tuple(found)


def _of_dive_unless_named(rows: "Sequence[str]") -> list[Rule]:
    """Give the rules that dive has by itself, but for those that its file speaks of."""
    named = {_key(row) for row in rows}
    return [Rule.parse(text) for key, text in _DIVES_OWN.items() if key not in named]


def _key(row: str) -> str:
    return row.partition(":")[0].strip(" \"'").replace("-", "").replace("_", "").lower()


def _of_dive(row: str) -> tuple[Rule, ...]:
    """Read a line of dive's file; a rule that is switched off is none."""
    key, _, value = row.partition(":")
    value = value.strip().strip("\"'")
    key = key.strip().strip("\"'")
    if key == "rules" or value.lower() in _OFF:
        return ()
    start = _DIVE.get(_key(row))
    if start is None:
        raise RuleInvalid(
            f"dive has no rule called `{key}`",
            hint="it has lowestEfficiency, highestWastedBytes and highestUserWastedPercent",
        )
    return (Rule.parse(start + value),)


def _judged(found: Judged, rule: Rule) -> Verdict:
    if rule.subject == _SECRETS:
        count = len(found.secrets)
        first = f": {found.secrets[0].what}" if count else ""
        said = count_text(count, "secret") + first if count else "none found"
        return Verdict(rule, not count, count, said)
    if rule.subject == _PACKAGE:
        names = [
            f"{one.name} {one.version}"
            for one in found.packages
            if fnmatchcase(one.name, rule.word)
        ]
        return Verdict(rule, not names, len(names), ", ".join(names[:3]) or "not there")
    subject = _SUBJECTS[rule.subject]
    figure = subject.figure(found)
    passed = {
        "<": figure < rule.limit,
        "<=": figure <= rule.limit,
        ">": figure > rule.limit,
        ">=": figure >= rule.limit,
    }[rule.sign]
    said = _written(subject.kind, figure)
    if rule.subject == "layer" and found.sizes:
        said += f" (layer {found.sizes.index(figure) + 1})"
    return Verdict(rule, passed, figure, said)


def _written(kind: _Kind, figure: float) -> str:
    if kind is _Kind.SHARE:
        return f"{figure:.4f}"
    return size_text(figure) if kind is _Kind.SIZE else f"{figure:,.0f}"


def _limit(written: str, subject: str, value: str) -> float:
    kind = _SUBJECTS[subject].kind
    limit = _amount(kind, value)
    if limit is None:
        needs = {
            _Kind.SIZE: "a size, as 20MB or 1.5GiB",
            _Kind.SHARE: "a share, as 0.95 or 95%",
            _Kind.COUNT: "a number",
        }[kind]
        raise RuleInvalid(f"rule `{written}`: `{value}` is not {needs}")
    return limit


def _amount(kind: _Kind, value: str) -> float | None:
    """Read a limit; None if it is none of its kind."""
    digits = value.rstrip("%" + ascii_letters + " ")
    unit = value[len(digits) :].strip().lower()
    if not digits.replace(".", "", 1).isdecimal():
        return None
    number = float(digits)
    if kind is _Kind.SIZE:
        return number * _UNITS[unit] if unit in _UNITS else None
    if kind is _Kind.SHARE:
        share = number / _HUNDRED if unit == "%" else number
        return share if unit in ("", "%") and share <= 1 else None
    return None if unit else number


def _example(name: str) -> str:
    subject = _SUBJECTS[name]
    sign = ">" if subject.worse == "<" else "<"
    return name + sign + {_Kind.SIZE: "20MB", _Kind.SHARE: "0.95", _Kind.COUNT: "20"}[subject.kind]


def _nearest(name: str) -> str:
    from difflib import get_close_matches

    known = (*_SUBJECTS, *_LIMITS, _SECRETS, _PACKAGE)
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean `{near[0]}`?" if near else f"there are {', '.join(_FORMS)}"


DEFAULTS = (Rule.parse("efficiency>=0.9"), Rule.parse("user-waste<=10%"), Rule.parse("no-secrets"))
"""What holds where nobody gave rules: dive's two, and that nothing is given away."""
