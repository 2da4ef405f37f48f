"""Markdown that can do no harm."""

import pytest

from lamina.hub.site.readme import markdown


def test_markdown_becomes_html():
    html = markdown("# T\n\n**b** `c`\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n- x")
    for part in (
        '<h3 id="readme-t">T</h3>',
        "<strong>b</strong>",
        "<code>c</code>",
        "<table>",
        "<li>x</li>",
    ):
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
        "<img",
        'href="javascript',
        'href="data',
        'src="javascript',
    ):
        assert tag not in html
    assert " onclick=" not in html.replace("&quot;", "").partition("<a ")[2].partition(">")[0]


def test_links_out_carry_no_credit():
    assert 'rel="noopener noreferrer nofollow"' in markdown("[x](https://x.example)")


def test_headings_stand_below_the_pages_own_and_are_linked_within_the_text():
    html = markdown("[go](#Set-up) [twice](#set-up-1)\n\n# Set up\n\n## Set up\n\n###### deep")
    assert '<a href="#readme-set-up"' in html
    assert '<a href="#readme-set-up-1"' in html
    assert '<h3 id="readme-set-up">' in html
    assert '<h4 id="readme-set-up-1">' in html
    assert '<h6 id="readme-deep">deep</h6>' in html


def test_pictures_become_links_and_nothing_is_fetched():
    html = markdown(
        "![A logo](https://x.example/a.png) [![ci](https://x.example/b.svg)](https://y.example)"
    )
    assert "<img" not in html
    assert '<a href="https://x.example/a.png" rel="noopener noreferrer nofollow">A logo</a>' in html
    assert '<a href="https://y.example" rel="noopener noreferrer nofollow">ci</a>' in html


@pytest.mark.parametrize(
    "target", ["docs/a.md", "/alice/secret", "//x.example", "../../signout", "?x"]
)
def test_links_to_the_texts_own_folder_lead_to_no_page_of_the_hub(target):
    assert "href" not in markdown(f"[x]({target})")


def test_code_and_tables_scroll_by_themselves():
    html = markdown("```sh\nls\n```\n\n| a |\n|---|\n| b |")
    assert html.count(' tabindex="0"><pre>') == html.count("</pre></div>") == 1
    assert html.count(' tabindex="0"><table>') == html.count("</table></div>") == 1
