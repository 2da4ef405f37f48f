"""Commands by which the reader can check what was told, each with what it will print."""

from __future__ import annotations

from shlex import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.engine.engine import Engine
    from lamina.events import Admitted, Exchanged
    from lamina.spec.config import ImageConfig
    from lamina.spec.descriptor import Descriptor
    from lamina.spec.manifest import Index, Manifest

    Check = tuple[str, str]

__all__ = ["chain_check", "of_image", "of_registry", "unpacked"]

_SUMS = {"sha256": "sha256sum", "sha512": "sha512sum"}


def of_registry(
    top: Manifest | Index, exchanged: Exchanged | None, admitted: Admitted | None
) -> list[Check]:
    """Ask the registry for the same document by hand: it has the same digest."""
    if exchanged is None:
        return []
    checks: list[Check] = []
    header = ""
    if admitted is not None:
        query = "&".join(
            [f"service={admitted.service}", *(f"scope={scope}" for scope in admitted.scopes)]
        )
        user = f"-u {quote(admitted.account)} " if admitted.account else ""
        address = quote(f"{admitted.realm}?{query}")
        checks.append((f"TOKEN=$(curl -fsS {user}{address} | jq -r .token)", ""))
        header = '-H "Authorization: Bearer $TOKEN" '
    accept = quote(f"Accept: {top.media_type}")
    tool = _SUMS[top.digest.algorithm]
    words = f"curl -fsSL {header}-H {accept} {quote(exchanged.url)} | {tool}"
    return [*checks, (words, f"{top.digest.hex}  -")]


def of_image(engine: Engine, manifest: Manifest, config: ImageConfig) -> list[Check]:
    """Check the manifest, what it says of the config, and the lowest layer, packed and unpacked."""
    blobs = engine.store.blobs
    manifest_path = blobs.path(manifest.digest)
    checks = [
        _summed(manifest_path, manifest.digest.algorithm, manifest.digest.hex),
        (f"jq -r .config.digest {quote(manifest_path)}", str(config.digest)),
    ]
    config_path = blobs.path(config.digest)
    if config.diff_ids:
        checks.append((f"jq -r '.rootfs.diff_ids[0]' {quote(config_path)}", config.diff_ids[0]))
        checks += unpacked(engine, manifest.layers[0], config.diff_ids[0].hex)
    return checks


def unpacked(engine: Engine, layer: Descriptor, diff_hex: str) -> list[Check]:
    """Show that a blob has its digest and its tar the diff ID; nothing for packings without a common tool."""
    path = engine.store.blobs.path(layer.digest)
    checks = [_summed(path, layer.digest.algorithm, layer.digest.hex)]
    opener = {"gzip": "zcat", "zstd": "zstdcat"}.get(layer.media_type.rpartition("+")[2])
    if layer.media_type.endswith(".gzip"):  # Docker's spelling
        opener = "zcat"
    if opener:
        checks.append((f"{opener} < {quote(path)} | sha256sum", f"{diff_hex}  -"))
    return checks


def chain_check(below: str, diff_id: str, chain: str) -> Check:
    """Compute a chain ID by hand."""
    return f"printf '%s' '{below} {diff_id}' | sha256sum", f"{chain.partition(':')[2]}  -"


def _summed(path: str, algorithm: str, value: str) -> Check:
    return f"{_SUMS[algorithm]} < {quote(path)}", f"{value}  -"
