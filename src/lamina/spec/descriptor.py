"""Descriptors: what some bytes are, and how to know them. Spec: image-spec descriptor.md."""

from types import MappingProxyType

from lamina.errors import Invalid
from lamina.spec.digest import Digest
from lamina.spec.platform import Platform
from lamina.spec.wire import Document
from lamina.values import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Descriptor", "MediaType"]


class MediaType:
    """The media types we meet. Unknown ones are kept as they are."""

    OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
    OCI_INDEX = "application/vnd.oci.image.index.v1+json"
    OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
    OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
    OCI_LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
    OCI_LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
    OCI_EMPTY = "application/vnd.oci.empty.v1+json"
    DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
    DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
    DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
    DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
    DOCKER_LAYER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"
    DOCKER_SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+json"
    DOCKER_SCHEMA1_SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"

    LAYERS = (OCI_LAYER, OCI_LAYER_GZIP, OCI_LAYER_ZSTD, DOCKER_LAYER, DOCKER_LAYER_GZIP)
    MANIFESTS = (OCI_MANIFEST, DOCKER_MANIFEST)
    INDEXES = (OCI_INDEX, DOCKER_LIST)
    CONFIGS = (OCI_CONFIG, DOCKER_CONFIG)


@dataclass(frozen=True, slots=True)
class Descriptor:
    """Media type, digest and size of some bytes, with the platform and annotations they carry."""

    media_type: str
    digest: Digest
    size: int
    platform: Platform | None = None
    annotations: "Mapping[str, str]" = field(default_factory=lambda: MappingProxyType({}))
    artifact_type: str = ""
    urls: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, document: Document) -> "Descriptor":
        """Read one descriptor object. Raises: Invalid (a field missing or of the wrong kind)."""
        try:
            size = document["size"]
            media_type = document["mediaType"]
            digest = Digest.parse(document["digest"])
        except (KeyError, TypeError) as error:
            raise Invalid(f"descriptor without {error}") from error
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise Invalid(f"descriptor with size {size!r}")
        platform = document.get("platform")
        annotations, urls = document.get("annotations") or {}, document.get("urls") or ()
        if not isinstance(annotations, dict) or not isinstance(urls, (list, tuple)):
            raise Invalid(f"descriptor of {digest} with malformed `annotations` or `urls`")
        return cls(
            media_type=str(media_type),
            digest=digest,
            size=size,
            platform=Platform.from_json(platform) if isinstance(platform, dict) else None,
            annotations=MappingProxyType(
                {str(key): str(value) for key, value in annotations.items()}
            ),
            artifact_type=str(document.get("artifactType") or ""),
            urls=tuple(str(url) for url in urls),
        )

    def to_json(self) -> Document:
        """Give the descriptor object, keys in the spec's order, empty ones left out."""
        document: Document = {
            "mediaType": self.media_type,
            "digest": str(self.digest),
            "size": self.size,
        }
        if self.urls:
            document["urls"] = list(self.urls)
        if self.annotations:
            document["annotations"] = dict(self.annotations)
        if self.artifact_type:
            document["artifactType"] = self.artifact_type
        if self.platform:
            document["platform"] = self.platform.to_json()
        return document
