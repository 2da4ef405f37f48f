"""The headers of every page."""

from lamina.hub.site.render import SECURITY


def test_the_policy_allows_nothing_inline():
    policy = SECURITY["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
