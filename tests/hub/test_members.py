"""What an index names."""

from tests.hub.clients import INDEX, MANIFEST, digest, document

from lamina.hub.members import choose, members


def row(name: str, platform: dict[str, str] | None = None, **more: object) -> dict[str, object]:
    found = {"mediaType": MANIFEST, "digest": digest(name.encode()), "size": 5, **more}
    return found if platform is None else {**found, "platform": platform}


def index(*rows: dict[str, object]) -> bytes:
    return document({"schemaVersion": 2, "mediaType": INDEX, "manifests": list(rows)})


ARM = {"os": "linux", "architecture": "arm"}
UNKNOWN = {"os": "unknown", "architecture": "unknown"}


def test_platforms_are_as_the_index_says_with_their_variants():
    found = members(index(row("a", {**ARM, "variant": "v7"}), row("b", {**ARM, "variant": "v6"})))
    assert [each.platform for each in found] == ["linux/arm/v7", "linux/arm/v6"]
    assert choose(found, "linux/arm/v6") == found[1]
    assert choose(found, "") == choose(found, "windows/amd64") == found[0]


def test_amd64_is_chosen_where_nothing_is_asked_for():
    found = members(index(row("a", ARM), row("b", {"os": "linux", "architecture": "amd64"})))
    assert choose(found, "") == found[1]


def test_attestations_are_of_no_platform_and_say_what_they_are_about():
    about = {
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": "d",
    }
    found = members(index(row("a", UNKNOWN, annotations=about)))
    assert (found[0].platform, found[0].describes) == ("", "d")
    assert choose(found, "") is None


def test_an_index_of_nothing_has_no_members():
    assert members(index()) == ()
