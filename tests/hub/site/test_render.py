"""Markdown that can do no harm."""

import pytest

from lamina.hub.site.render import SECURITY, markdown


def test_markdown_becomes_html():
    html = markdown("# T\n\n**b** `c`\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n- x")
    for part in ("<h1>T</h1>", "<strong>b</strong>", "<code>c</code>", "<table>", "<li>x</li>"):
        assert part in html


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "[x](javascript:alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "![x](javascript:alert(1))",
        "<img src=x onerror=alert(1)>",
        '<a href="x" onclick="alert(1)">x</a>',
        "<style>body{display:none}</style>",
        '<iframe src="https://x.example"></iframe>',
        '[x](https://x.example "a\\" onmouseover=\\"alert(1)")',
    ],
)
def test_nothing_in_markdown_runs(text):
    html = markdown(text).lower()
    for tag in (
        "<script",
        "<style",
        "<iframe",
        "<img src=x",
        'href="javascript',
        'href="data',
        'src="javascript',
    ):
        assert tag not in html
    assert " onclick=" not in html.replace("&quot;", "").partition("<a ")[2].partition(">")[0]


def test_links_out_carry_no_credit():
    assert 'rel="noopener noreferrer nofollow"' in markdown("[x](https://x.example)")


def test_the_policy_allows_nothing_inline():
    policy = SECURITY["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
