"""A repository's README: Markdown as HTML that can do no harm and fits into the page."""

import functools
import re
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

__all__ = ["markdown"]

_LOWERED = 2  # the page itself has headings of the first two levels
_LOWEST = 6
_TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p",
    "pre", "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_ATTRIBUTES = {
    "a": {"href", "title"}, "ol": {"start"}, "h3": {"id"}, "h4": {"id"}, "h5": {"id"}, "h6": {"id"}, "th": {"scope"},
}  # fmt: skip
_ANCHOR = "readme-"
_NOT_IN_ANCHORS = re.compile(r"[^\w\- ]")


@functools.lru_cache(16)  # the READMEs that people look at now
def markdown(text: str) -> Markup:
    """Give Markdown as HTML: no scripts, no styles, and nothing fetched from elsewhere.

    Pictures become links, so that nobody learns who reads the page; headings stand below those of the
    page and are known to links within the text. Costs milliseconds per ten kilobytes: for a thread.
    """
    import nh3

    html = nh3.clean(
        _parser().render(text),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        attribute_filter=_filtered,
        link_rel="noopener noreferrer nofollow",
    )
    # a code block or a table wider than the page scrolls by itself, by keyboard too
    for tag, name in (("pre", "Code"), ("table", "Table")):
        opened = f'<div class="scroll" role="group" aria-label="{name}" tabindex="0"><{tag}>'
        html = html.replace(f"<{tag}>", opened).replace(f"</{tag}>", f"</{tag}></div>")
    return Markup(html)  # noqa: S704 - just cleaned


def _filtered(tag: str, name: str, value: str) -> str | None:
    """Leave out links that would lead to pages of this hub: the text's own folder is elsewhere."""
    del tag
    if name == "href" and not value.startswith(("http:", "https:", "mailto:", f"#{_ANCHOR}")):
        return None
    return value


@functools.cache
def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    parser.core.ruler.push("fit", lambda state: _fit(state.tokens))
    return parser


def _fit(tokens: "list[Token]") -> None:
    """Lower headings, give them names, and put links in the place of pictures."""
    known: dict[str, int] = {}
    for at, token in enumerate(tokens):
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(_LOWEST, int(token.tag[1:]) + _LOWERED)}"
        if token.type == "th_open":
            token.attrSet("scope", "col")
        if token.type == "heading_open":
            name = _anchor(tokens[at + 1].content)
            known[name] = known.get(name, -1) + 1
            token.attrSet("id", f"{_ANCHOR}{name}" + (f"-{known[name]}" if known[name] else ""))
        if token.children:
            token.children = _without_pictures(token.children)


def _anchor(heading: str) -> str:
    """Give a heading's name as people link to it: lower case, dashes for blanks."""
    return _NOT_IN_ANCHORS.sub("", heading.strip().lower()).replace(" ", "-")


def _without_pictures(tokens: "list[Token]") -> "list[Token]":
    from markdown_it.token import Token

    found: list[Token] = []
    is_linked = False
    for token in tokens:
        if token.type in ("link_open", "link_close"):
            is_linked = token.type == "link_open"
            target = str(token.attrs.get("href", ""))
            if target.startswith("#"):
                token.attrSet("href", f"#{_ANCHOR}{target[1:].lower()}")
        if token.type != "image":
            found.append(token)
            continue
        text = Token("text", "", 0, content=token.content or "picture")
        if is_linked:
            found.append(text)
        else:
            source = str(token.attrs.get("src", ""))
            found += [
                Token("link_open", "a", 1, attrs={"href": source}),
                text,
                Token("link_close", "a", -1),
            ]
    return found
