"""What the inspect commands share: one JSON array, or a template line for each thing."""

from __future__ import annotations

from lamina.cli.template_values import NIL_LIST, NIL_MAP
from lamina.errors import LaminaError, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lamina.cli.context import Context

    Lookup = Callable[[str], Mapping[str, object]]

__all__ = ["first_of", "inspect_all"]

_MAPS = frozenset(
    ("Data", "ExposedPorts", "Labels", "LogOpts", "Options", "PortBindings", "Ports", "Volumes")
)
_LISTS = frozenset(
    (
        *("Binds", "CapAdd", "CapDrop", "Cmd", "Dns", "DnsOptions", "DnsSearch", "Entrypoint"),
        *("Env", "ExtraHosts", "GroupAdd", "OnBuild", "RepoDigests", "RepoTags", "Shell"),
    )
)


def inspect_all(context: Context, names: Sequence[str], lookup: Lookup, *, form: str) -> int:
    """Print what `lookup` gives for each name; say which were not found and go on.

    Gives the exit code: 1 when any name failed. Raises: TemplateInvalid.
    """
    from lamina.spec.wire import encode_pretty

    template = None
    if form and form != "json":
        from lamina.cli.template import Template

        template = Template(form)
    documents, failures = [], []
    for name in names:
        try:
            documents.append(lookup(name))
        except LaminaError as error:
            failures.append(error)
    if template is not None:
        from lamina.cli.formats import terminal_text

        shown = terminal_text if context.is_terminal else str
        for document in documents:
            context.print(template.render(_typed(document), strict=True, shown=shown))
    elif form == "json":
        from lamina.cli.template_functions import to_json

        for document in documents:
            context.print(to_json(document))
    else:
        context.print(encode_pretty(documents) if documents else "[]")
    for failure in failures:
        context.say(f"lamina: {failure}" + (f"\nhint: {failure.hint}" if failure.hint else ""))
    return 1 if failures else 0


def _typed(document: Mapping[str, object]) -> Mapping[str, object]:
    """Give the document with null as Go's types print it: `map[]` for labels, `[]` for lists.

    Exposed ports, left out where there are none, are such a map, too.
    """
    typed = {key: _typed_value(key, value) for key, value in document.items()}
    settings = typed.get("Config")
    if isinstance(settings, dict):
        settings.setdefault("ExposedPorts", NIL_MAP)
    return typed


def _typed_value(key: str, value: object) -> object:
    if isinstance(value, dict):
        return {inner: _typed_value(inner, item) for inner, item in value.items()}
    if value is not None:
        return value
    if key in _MAPS:
        return NIL_MAP
    return NIL_LIST if key in _LISTS else None


def first_of(lookups: Mapping[str, Lookup], name: str) -> Mapping[str, object]:
    """Give what the first of `lookups` (by kind of thing) knows under `name`.

    Raises: NotFound (none does).
    """
    for lookup in lookups.values():
        try:
            return lookup(name)
        except NotFound:
            continue
    raise NotFound(
        f"No such object: {name}", hint="`lamina images` and `lamina ps -a` list what there is"
    )
