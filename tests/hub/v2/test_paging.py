"""Page sizes and links."""

from aiohttp.test_utils import make_mocked_request

from lamina.hub.v2.paging import next_link, wanted_page


def test_no_page_is_larger_than_a_thousand():
    request = make_mocked_request("GET", "/v2/a/b/tags/list?n=5000&last=v1")
    assert wanted_page(request, default=10) == (1000, "v1")
    assert wanted_page(make_mocked_request("GET", "/x"), default=10) == (10, "")


def test_a_link_keeps_the_other_parameters_and_escapes_the_name():
    request = make_mocked_request("GET", "/v2/a/b/referrers/d?artifactType=x/y&n=1&last=old")
    assert next_link(request, 1, "a>b") == (
        '</v2/a/b/referrers/d?artifactType=x%2Fy&n=1&last=a%3Eb>; rel="next"'
    )
