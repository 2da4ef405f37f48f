"""Lists beside the tree: groups that open, rows that are left out, where each leads."""

from pathlib import Path

from lamina.cli.explorer.lines import Signs, text_of
from lamina.cli.explorer.pages import (
    Page,
    Row,
    Target,
    packages_page,
    secrets_page,
    text_page,
    waste_page,
)
from lamina.cli.explorer.session import Session
from lamina.study.causes import Cause, Wasted
from lamina.study.packages import Package
from lamina.study.secrets import Secret
from lamina.study.waste import Waste

SIGNS = Signs(unicode=True)


def texts(page: Page, columns: int = 80) -> list[str]:
    return [text_of(page.line(at, columns, SIGNS)).rstrip() for at in range(len(page))]


def test_waste_is_grouped_and_a_group_opens_into_its_files(session: Session):
    files = (
        *(
            Wasted(b"a/%d" % at, at + 1, Cause.DELETED, 1, hidden_by=3, note=b"a")
            for at in range(3)
        ),
        Wasted(b"etc/x", 2, Cause.OVERWRITTEN, 1, hidden_by=2),
    )
    page = waste_page(session.study.made, Waste(100, 92, files), SIGNS)
    assert page.title == "8B to gain; 8B of 100B never seen; efficiency 0.920"
    assert [text.split() for text in texts(page)] == [
        ["▸", "6B", "3", "deleted", "later", "1", "3", "/a"], ["2B", "1", "overwritten", "1", "2", "/etc/x"],
    ]  # fmt: skip
    assert page.turn(0)
    assert [text.split()[-1] for text in texts(page)] == ["/a", "/a/2", "/a/1", "/a/0", "/etc/x"]
    assert page.target(1) == Target(b"a/2", 1)
    row = page.row(0)
    assert row is not None
    assert row.note[0].startswith("6B  remove them in the step")
    assert not page.turn(4)


def test_the_rest_of_a_large_group_is_one_row(session: Session):
    files = tuple(
        Wasted(b"a/%d" % at, 1, Cause.DELETED, 1, hidden_by=3, note=b"a") for at in range(1005)
    )
    page = waste_page(session.study.made, Waste(2000, 995, files), SIGNS)
    page.turn(0)
    assert len(page) == 1002
    assert texts(page)[-1].split() == ["5B", "5", "(more;", "lamina", "waste", "--files)"]


def test_a_list_is_narrowed_to_rows_with_a_text():
    page = Page("t", ("NAME",), [Row(["Alpha"]), Row(["beta"], more=[Row(["alphabet"])])])
    page.narrow("ALPHA")
    assert texts(page) == ["Alpha", "beta"]
    page.narrow("")
    assert len(page) == 2
    page.narrow("nothing")
    assert len(page) == 0
    assert page.target(0) is None


def test_packages_and_secrets_lead_to_their_layer(session: Session):
    made = session.study.made
    found = packages_page(made, [Package("deb", "tool\x1b", "2", "all", "MIT", 2, b"var/x")], SIGNS)
    assert texts(found)[0].split() == ["tool?", "2", "deb", "2", "RUN", "step-2"]
    assert found.target(0) == Target(b"var/x", 2)
    page = secrets_page([Secret("a key", b"etc/k\n", 1, 2), Secret("a token", b"ENV T", 0)], SIGNS)
    assert page.target(0) == Target(b"etc/k\n", 1)
    assert page.target(1) is None
    assert all(text.isprintable() for text in texts(page))
    assert secrets_page([], SIGNS).title == "Nothing that looks like a key, password or token"


def test_a_text_is_lines_that_may_lead_somewhere(tmp_path: Path):
    page = text_page("title", [([("one", "")], None), ([("two", "")], Target(b"x", 1))])
    assert texts(page) == ["one", "two"]
    assert page.target(1) == Target(b"x", 1)
    assert text_of(page.heading(10, SIGNS)).rstrip() == "title"
    assert not page.turn(0)
