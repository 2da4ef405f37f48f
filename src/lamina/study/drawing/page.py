"""One page that says everything about an image: no script, nothing from elsewhere, nothing of its own to run."""

from base64 import b64encode
from hashlib import sha256

from lamina.spec.wire import encode
from lamina.study.drawing.layer_parts import layer_parts
from lamina.study.drawing.markup import (
    Markup,
    count_text,
    escaped,
    joined,
    path_text,
    share_text,
    size_text,
    tag,
)
from lamina.study.drawing.stack import Floor, stack
from lamina.study.drawing.style import STYLE
from lamina.study.drawing.tables import Column, chips, facts, folded, section, shortened, table
from lamina.study.drawing.waste_part import waste_part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.study.exploration import Exploration

__all__ = ["floors", "page"]

_POLICY = "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'"
_PACKAGES = 2000
_SECRETS = 300
_LARGEST = 50
_STEPS = 500
_LETTERS = 3000
_FEW = 15
_NUMBER = Column("Layer", "num")
_SIZE = Column("Size", "num")


def page(found: "Exploration", *, version: str) -> str:
    """Give the page. The same image gives the same bytes, whose number is bounded.

    `version` is lamina's. Every text of the image is escaped, and the page's policy allows nothing but
    its own style.
    """
    digest = b64encode(sha256(STYLE.encode()).digest()).decode()
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY.format(digest)),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", f"{found.name} explored"),
        tag("style", Markup(STYLE)),
    )
    parts = [
        ("stack", "Stack", _stack(found)),
        *layer_parts(found),
        ("waste", "Waste", waste_part(found)),
        ("packages", "Packages", _packages(found)),
        ("secrets", "Secrets", _secrets(found)),
        ("largest", "Largest files", _largest(found)),
        ("configuration", "Configuration", _configuration(found)),
        ("history", "History", _history(found)),
    ]
    links = [tag("li", tag("a", title, href=f"#{name}")) for name, title, _ in parts]
    body = tag(
        "body",
        _header(found),
        tag("nav", tag("ul", *links), aria_label="On this page"),
        tag("main", *[section(name, title, inside) for name, title, inside in parts]),
        tag(
            "footer", tag("p", f"Made by lamina {version} of what the image says; nothing was run.")
        ),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def floors(found: "Exploration", *, linked: bool = True) -> tuple[Floor, ...]:
    """Give the layers as the picture of the stack has them; each leads to its part of the page if `linked`."""
    return tuple(
        Floor(
            layer.number,
            layer.step.instruction,
            layer.size,
            layer.wasted,
            f"#layer-{layer.number}" if linked else "",
        )
        for layer in found.layers
    )


def _header(found: "Exploration") -> Markup:
    created = found.config.created[:10]
    said = [str(found.config.platform), f"created {created}" if created else ""]
    files = sum(layer.added.count for layer in found.layers)
    waste, secrets = found.waste.size, len(found.secrets)
    figures = [
        ("Size", size_text(found.size), "content of all layers", ""),
        ("To download", size_text(found.compressed_size), "compressed", ""),
        ("Layers", f"{len(found.layers):,}", count_text(files, "path"), ""),
        ("Efficiency", f"{found.waste.efficiency:.1%}", "of the bytes are seen", ""),
        ("Wasted", size_text(waste), f"{share_text(waste, found.size)} of the size", ""),
        ("Packages", f"{len(found.packages):,}", "of known managers", ""),
        ("Secrets", f"{secrets:,}", "found" if secrets else "none found", "bad" if secrets else ""),
    ]
    cells = [
        tag("div", tag("dt", name), tag("dd", value, tag("small", note)), class_=kind or None)
        for name, value, note, kind in figures
    ]
    return tag(
        "header",
        tag("p", "Image", class_="eyebrow"),
        tag("h1", found.name),
        tag("p", " · ".join(text for text in said if text), class_="soft"),
        tag("p", tag("code", str(found.config.digest)), class_="soft"),
        *[
            tag("p", f"Layer {layer.number} {layer.lost}", class_="bad")
            for layer in found.layers
            if layer.lost
        ],
        tag("dl", *cells, class_="figures"),
    )


def _stack(found: "Exploration") -> Markup:
    if not found.layers:
        return tag("p", "The image has no layers.", class_="soft")
    rows = floors(found)
    hint = "Heights are sizes; what is shaded is wasted. Each layer leads to what is in it."
    return joined(
        (
            tag("p", hint, class_="soft"),
            tag("div", stack(rows, width=920), class_="broad"),
            tag("div", stack(rows, width=340), class_="narrow"),
        )
    )


def _packages(found: "Exploration") -> Markup:
    if not found.packages:
        return tag("p", "No package manager that is known left its records.", class_="soft")
    layers: dict[int, int] = {}
    for one in found.packages:
        layers[one.number] = layers.get(one.number, 0) + 1
    rows = [
        (
            shortened(one.name, _LETTERS),
            shortened(one.version, _LETTERS),
            one.kind,
            str(one.number),
            shortened(one.licence, _LETTERS),
        )
        for one in found.packages[:_PACKAGES]
    ]
    columns = (
        Column("Name", "wide"), Column("Version"), Column("Type"), _NUMBER, Column("Licence", "wide"),
    )  # fmt: skip
    shown = table("Packages", columns, rows)
    said = count_text(len(found.packages), "package")
    rest = _rest(len(found.packages) - len(rows), "package")
    return joined(
        (
            chips(f"layer {number}: {count:,}" for number, count in sorted(layers.items())),
            shown + rest if len(rows) <= _FEW else folded(f"All {said}", shown, rest),
        )
    )


def _secrets(found: "Exploration") -> Markup:
    if not found.secrets:
        return tag("p", "Nothing that looks like a key, a password or a token.", class_="good")
    warning = (
        "Whoever has the image can read these, also what a later layer hides. Take them out of use, "
        "and build the image again without them."
    )
    rows = [
        (
            one.what,
            ("/" if one.number else "") + path_text(one.path),
            str(one.number) if one.number else "configuration",
            f"layer {one.hidden_by}" if one.hidden_by else "",
        )
        for one in found.secrets[:_SECRETS]
    ]
    columns = (Column("What"), Column("Where", "path"), Column("Layer"), Column("Hidden by"))
    return joined(
        (
            tag("p", warning, class_="bad"),
            table("Secrets", columns, rows),
            _rest(len(found.secrets) - len(rows), "secret"),
        )
    )


def _largest(found: "Exploration") -> Markup:
    rows = [
        (size_text(one.size), str(one.number), "/" + path_text(one.path))
        for one in found.largest[:_LARGEST]
    ]
    if not rows:
        return tag("p", "There are no files with content.", class_="soft")
    columns = (_SIZE, _NUMBER, Column("Path", "path"))
    first = table("Largest files", columns, rows[:_FEW])
    more = rows[_FEW:]
    if not more:
        return first
    return first + folded(f"The next {len(more)}", table("More large files", columns, more))


def _configuration(found: "Exploration") -> Markup:
    rows = [
        ("Platform", escaped(str(found.config.platform))),
        ("Created", escaped(found.config.created)),
        ("Author", escaped(shortened(str(found.config.document.get("author") or ""), _LETTERS))),
        ("Image ID", tag("code", str(found.config.digest))),
        ("Manifest", tag("code", str(found.manifest.digest))),
    ]
    for name, value in found.config.settings.items():
        if value not in (None, "", [], {}, False):
            rows.append((shortened(name, _LETTERS), _setting(value)))
    return facts((name, value) for name, value in rows if value)


def _setting(value: object) -> Markup:
    """Write a value of the configuration: rows below each other."""
    if isinstance(value, dict):
        lines = [
            name if inside in ({}, None) else f"{name}={_plain(inside)}"
            for name, inside in value.items()
        ]
    elif isinstance(value, list) and not any(isinstance(one, dict | list) for one in value):
        is_environment = all(isinstance(one, str) and "=" in one for one in value)
        lines = [_plain(one) for one in value] if is_environment else [_plain(value)]
    else:
        lines = [_plain(value)]
    shown = [tag("code", shortened(line, _LETTERS)) for line in lines[:_STEPS]]
    return joined(part for line in shown for part in (line, tag("br")))


def _plain(value: object) -> str:
    return value if isinstance(value, str) else encode(value).decode()


def _history(found: "Exploration") -> Markup:
    steps = found.steps[:_STEPS]
    rows = [
        (
            str(step.number),
            str(step.layer or ""),
            step.created[:19].replace("T", " "),
            shortened(step.instruction, _LETTERS) or "(made without an instruction)",
        )
        for step in steps
    ]
    columns = (Column("Step", "num"), _NUMBER, Column("Created"), Column("Instruction", "path"))
    kinds = ["" if step.layer else "empty" for step in steps]
    return table("History", columns, rows, kinds=kinds) + _rest(
        len(found.steps) - len(rows), "step"
    )


def _rest(count: int, what: str) -> Markup:
    return (
        tag("p", f"and {count_text(count, f'more {what}')}", class_="soft") if count else joined(())
    )
