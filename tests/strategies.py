"""Hypothesis strategies: values as they come from people, registries and attackers."""

import string
from typing import Any

from hypothesis import strategies as st

from lamina.spec.digest import Digest
from lamina.spec.platform import Platform

__all__ = ["digests", "documents", "platforms", "reference_texts", "splits"]

_LOWER = string.ascii_lowercase + string.digits
_WORDS = st.text(_LOWER, min_size=1, max_size=8)


def digests() -> st.SearchStrategy[Digest]:
    """Digests of both algorithms we check."""
    return st.one_of(
        st.binary(max_size=8).map(Digest.of),
        st.text("0123456789abcdef", min_size=128, max_size=128).map(
            lambda text: Digest.parse("sha512:" + text)
        ),
    )


def platforms() -> st.SearchStrategy[Platform]:
    """Platforms, common and odd."""
    return st.builds(
        Platform,
        st.sampled_from(["linux", "windows", "freebsd"]),
        st.sampled_from(["amd64", "arm64", "arm", "386", "riscv64", "s390x"]),
        st.sampled_from(["", "v1", "v2", "v3", "v5", "v6", "v7", "v8", "v9"]),
        st.sampled_from(["", "10.0.17763.1", "10.0.20348.2402-x"]),
    )


@st.composite
def reference_texts(draw: st.DrawFn) -> str:
    """Names that the grammar of the distribution project allows, in every form."""
    component = st.lists(_WORDS, min_size=1, max_size=3).flatmap(
        lambda words: st.sampled_from([".", "_", "__", "-", "--"]).map(lambda s: s.join(words))
    )
    path = "/".join(draw(st.lists(component, min_size=1, max_size=4)))
    registry = draw(
        st.sampled_from(["", "docker.io/", "index.docker.io/", "localhost/", "127.0.0.1:5000/",
                         "[::1]:5000/", "registry.example.org/", "Host/", "a.b:1/"])
    )  # fmt: skip
    first = string.ascii_letters + string.digits + "_"
    tag = draw(
        st.one_of(
            st.just(""),
            st.tuples(st.sampled_from(first), st.text(first + ".-", max_size=12)).map(
                lambda pair: ":" + pair[0] + pair[1]
            ),
        )
    )
    digest = draw(st.one_of(st.just(""), digests().map(lambda value: f"@{value}")))
    return registry + path + tag + digest


def documents() -> st.SearchStrategy[Any]:
    """Any JSON value, with the field names that matter turning up often."""
    names = st.one_of(
        st.sampled_from(
            ["schemaVersion", "mediaType", "config", "layers", "manifests", "digest", "size",
             "platform", "annotations", "urls", "subject", "rootfs", "diff_ids", "history",
             "os", "architecture", "variant", "created", "artifactType", "fsLayers"]
        ),
        st.text(max_size=5),
    )  # fmt: skip
    scalars = st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=20),
        st.just(2), digests().map(str),
    )  # fmt: skip
    return st.recursive(
        scalars,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4), st.dictionaries(names, inner, max_size=6)
        ),
        max_leaves=25,
    )


def splits(data: bytes) -> st.SearchStrategy[list[bytes]]:
    """Every way to hand over `data` in pieces, empty ones left out."""
    return st.lists(st.integers(0, len(data)), max_size=8).map(
        lambda cuts: [
            data[low:high]
            for low, high in zip([0, *sorted(cuts)], [*sorted(cuts), len(data)], strict=True)
            if low < high
        ]
    )
