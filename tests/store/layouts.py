"""Small real images for store tests: a config, layers and a manifest, put blob by blob."""

import gzip
import io
import tarfile

from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.digest import Digest
from lamina.spec.manifest import Manifest
from lamina.spec.wire import encode


def tar_of(files):
    """A tar of regular files: {path: bytes}."""
    out = io.BytesIO()
    with tarfile.TarFile(fileobj=out, mode="w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def put_image(store, *layers):
    """Put an image with these layers ({path: bytes} each); give its manifest."""
    tars = [tar_of(files) for files in layers]
    blobs = [gzip.compress(tar, mtime=0) for tar in tars]
    rows = tuple(
        Descriptor(MediaType.OCI_LAYER_GZIP, store.blobs.put(blob), len(blob)) for blob in blobs
    )
    config = encode(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [Digest.of(tar) for tar in tars]},
        }
    )
    descriptor = Descriptor(MediaType.OCI_CONFIG, store.blobs.put(config), len(config))
    manifest = Manifest.build(descriptor, rows)
    store.blobs.put(manifest.raw)
    return manifest
