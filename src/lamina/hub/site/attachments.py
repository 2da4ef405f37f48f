"""What artifacts are, in words, and which program fetches them. Pure."""

import re

__all__ = ["attaches", "commands", "purpose"]

_HELM = "application/vnd.cncf.helm."
_PURPOSES = (
    ("signature", ("cosign.artifact.sig", "cosign.simplesigning", "notary.signature", "sigstore.bundle")),
    ("list of what is inside", ("spdx", "cyclonedx", "syft", "sbom")),
    ("attestation", ("in-toto", "dsse", "attestation", "slsa")),
    ("Helm chart", (_HELM,)),
    ("index of all files", ("lamina.image.exploration",)),
    ("index for reading single files", ("lamina.seek-index",)),
    ("WebAssembly module", ("wasm",)),
)  # fmt: skip
_SUFFIXES = {".sig": "signature", ".att": "attestation", ".sbom": "list of what is inside"}
_BY_NAME = re.compile(r"sha(?:256-[0-9a-f]{64}|512-[0-9a-f]{128})(\.[a-z]+)?")


def attaches(tag: str) -> bool:
    """Tell whether a tag is of the kind by which older tools attach things to a digest."""
    return _BY_NAME.fullmatch(tag) is not None


def purpose(kind: str, *, tag: str = "") -> str:
    """Give in a few words what an artifact of a media type is, or one attached by a tag; maybe empty."""
    named = _BY_NAME.fullmatch(tag)
    if named and named[1] in _SUFFIXES:
        return _SUFFIXES[named[1]]
    lowered = kind.lower()
    return next((words for words, marks in _PURPOSES if any(m in lowered for m in marks)), "")


def commands(host: str, repository: str, reference: str, kind: str) -> tuple[str, ...]:
    """Give what a person types to fetch an image, or an artifact of type `kind`."""
    name = f"{host}/{repository}{'@' if ':' in reference else ':'}{reference}"
    if not kind:
        return (f"lamina pull {name}", f"docker pull {name}", f"podman pull {name}")
    if kind.startswith(_HELM) and ":" not in reference:
        return (f"helm pull oci://{host}/{repository} --version {reference}", f"oras pull {name}")
    return (f"oras pull {name}",)
