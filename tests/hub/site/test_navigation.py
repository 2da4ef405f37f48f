"""The menu above pages of settings."""

import re

import pytest

from lamina.hub.site.navigation import items


def test_paths_name_what_the_area_is_of():
    assert items("repository", "alice/app")[0].path == "/alice/app/-/settings"


@pytest.mark.parametrize(
    "area", [("account", ""), ("repository", "chief/menu"), ("hub", "")], ids=lambda area: area[0]
)
def test_every_page_of_an_area_shows_its_menu_with_itself_marked(hub, visitor, chief, area):
    chief.image("chief/menu", "v1")
    visitor.sign_in("chief")
    assert items(*area)
    for item in items(*area):
        page = visitor.get(item.path)
        assert page.status == 200, item.path
        menu = re.search(r'<nav class="menu".*?</nav>', page.text, re.DOTALL)
        assert menu, item.path
        assert re.findall(r'href="([^"]+)" aria-current="page"', menu[0]) == [item.path]
        assert re.findall(r'href="([^"]+)"', menu[0]) == [each.path for each in items(*area)]
