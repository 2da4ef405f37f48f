"""Artifacts in words."""

import pytest

from lamina.hub.site.attachments import attaches, commands, purpose

HEX = "ab" * 32
HELM = "application/vnd.cncf.helm.config.v1+json"


@pytest.mark.parametrize(
    ("kind", "tag", "words"),
    [
        ("application/vnd.dev.cosign.artifact.sig.v1+json", "", "signature"),
        ("application/vnd.cncf.notary.signature", "", "signature"),
        ("application/spdx+json", "", "list of what is inside"),
        ("application/vnd.cyclonedx+json", "", "list of what is inside"),
        ("application/vnd.in-toto+json", "", "attestation"),
        (HELM, "", "Helm chart"),
        ("application/vnd.lamina.seek-index.v1", "", "index for reading single files"),
        ("", f"sha256-{HEX}.sig", "signature"),
        ("", f"sha256-{HEX}.sbom", "list of what is inside"),
        ("", f"sha256-{HEX}.other", ""),
        ("application/vnd.example", "", ""),
        ("", "v1.sig", ""),
    ],
)
def test_types_have_words(kind, tag, words):
    assert purpose(kind, tag=tag) == words


def test_tags_that_attach_are_known_by_their_digest():
    assert attaches(f"sha256-{HEX}.sig")
    assert attaches(f"sha512-{HEX}{HEX}")
    assert not attaches("sha256-abc.sig")
    assert not attaches("v1")


def test_commands_are_of_programs_that_can_fetch_it():
    assert commands("hub:5000", "a/b", "v1", "") == (
        "lamina pull hub:5000/a/b:v1", "docker pull hub:5000/a/b:v1", "podman pull hub:5000/a/b:v1",
    )  # fmt: skip
    assert commands("hub", "a/b", f"sha256:{HEX}", "")[0] == f"lamina pull hub/a/b@sha256:{HEX}"
    assert commands("hub", "a/b", "1.0", HELM) == (
        "helm pull oci://hub/a/b --version 1.0", "oras pull hub/a/b:1.0",
    )  # fmt: skip
    assert commands("hub", "a/b", "1.0", "application/vnd.example") == ("oras pull hub/a/b:1.0",)
