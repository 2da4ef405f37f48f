"""Places are called as skopeo calls them."""

import pytest

from lamina.errors import Invalid
from lamina.image.transports.names import PlaceName


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("docker://debian", PlaceName("docker", "", "debian")),
        ("docker://localhost:5000/a:b", PlaceName("docker", "", "localhost:5000/a:b")),
        ("oci:/a/b:v1", PlaceName("oci", "/a/b", "v1")),
        ("oci:a", PlaceName("oci", "a", "")),
        ("docker-archive:a.tar:x/y:z", PlaceName("docker-archive", "a.tar", "x/y:z")),
        ("dir:/a:b", PlaceName("dir", "/a:b", "")),
        ("localhost:5000/a", PlaceName("lamina", "", "localhost:5000/a")),
        ("debian:12", PlaceName("lamina", "", "debian:12")),
    ],
)
def test_places_are_named_as_skopeo_names_them(text: str, place: PlaceName):
    assert PlaceName.parse(text) == place


@pytest.mark.parametrize(
    "text", ["docker:debian", "docker://", "oci:", "dir:", "ftp://x/y", "docker-daemon:x:y"]
)
def test_what_is_no_place_is_refused(text: str):
    with pytest.raises(Invalid):
        PlaceName.parse(text)
