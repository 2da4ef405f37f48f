"""Reading docker-registry's storage folder; tests/hub/test_importing.py reads real ones."""

import pytest

from lamina.errors import Invalid
from lamina.hub.distribution_folder import DistributionFolder

HEX = "ab" + "0" * 62


@pytest.fixture
def folder(tmp_path):
    manifests = tmp_path / "docker/registry/v2/repositories/team/app/_manifests"
    for path in ("revisions/sha256/" + HEX, "tags/v1/current"):
        (manifests / path).mkdir(parents=True)
        (manifests / path / "link").write_text(f"sha256:{HEX}")
    (manifests / "revisions/sha256" / ("cd" + "0" * 62)).mkdir()  # a deleted one leaves its folder
    (manifests / "tags/gone/index").mkdir(parents=True)
    (tmp_path / "docker/registry/v2/repositories/team/_uploads/x").mkdir(parents=True)
    return tmp_path


def test_what_is_there_is_found_and_what_was_deleted_is_not(folder):
    found = DistributionFolder(str(folder))
    assert list(found.repositories()) == ["team/app"]
    assert [str(each) for each in found.revisions("team/app")] == [f"sha256:{HEX}"]
    assert [(each.name, str(each.digest)) for each in found.tags("team/app")] == [
        ("v1", f"sha256:{HEX}")
    ]
    assert found.blob(found.revisions("team/app")[0]).endswith(f"blobs/sha256/ab/{HEX}/data")
    assert list(DistributionFolder(str(folder / "docker/registry/v2")).repositories()) == [
        "team/app"
    ]


def test_another_folder_and_a_link_to_nothing_are_refused(folder, tmp_path_factory):
    with pytest.raises(Invalid, match="no storage folder"):
        DistributionFolder(str(tmp_path_factory.mktemp("other")))
    link = next(folder.rglob("current/link"))
    link.write_text("../../etc/passwd")
    with pytest.raises(Invalid, match="holds no digest"):
        DistributionFolder(str(folder)).tags("team/app")
