"""Where blobs lie, as a person writes it."""

import pytest

from lamina.errors import Invalid
from lamina.hub.storage.address import S3Address


def test_a_bucket_alone_is_enough():
    address = S3Address.parse("s3://images")
    assert (address.bucket, address.prefix, address.endpoint, address.redirect_s) == (
        "images", "", "", 0,
    )  # fmt: skip
    assert (address.style, str(address)) == ("auto", "s3://images")


def test_a_service_of_ones_own_has_an_endpoint_and_paths():
    address = S3Address.parse(
        "s3://images/team/hub/?endpoint=http://10.0.0.1:7480&region=here&redirect=600"
        "&public-endpoint=https://s3.example"
    )
    assert (address.prefix, address.endpoint) == ("team/hub/", "http://10.0.0.1:7480")
    assert (address.region, address.redirect_s, address.style) == ("here", 600, "path")
    assert address.public_endpoint == "https://s3.example"
    assert str(address) == "s3://images/team/hub"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cannot be read"),
        ("/srv/images", "cannot be read"),
        ("s3:///prefix", "cannot be read"),
        ("https://images", "cannot be read"),
        ("s3://KEY:hunter2@images", "must not hold keys"),
        ("s3://images?endpiont=x", "unknown parameter 'endpiont'"),
        ("s3://images?redirect=ten", "redirect=ten"),
        ("s3://images?redirect=604801", "redirect=604801"),
        ("s3://images?style=odd", "style=odd"),
    ],
)
def test_what_cannot_be_meant_is_said_without_secrets(text, said):
    with pytest.raises(Invalid, match=said) as refused:
        S3Address.parse(text)
    assert "hunter2" not in str(refused.value) + refused.value.hint
