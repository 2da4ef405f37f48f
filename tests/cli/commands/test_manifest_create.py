"""`lamina manifest create`, `annotate`, `push`, `inspect` and `rm` go together as docker's do."""

import json
import subprocess

from tests.commands import Lamina
from tests.images import Piece, tar
from tests.servers import RegistryServer

from lamina.spec.wire import decode


def test_a_list_goes_all_the_way_and_skopeo_reads_it(lamina: Lamina, registry: RegistryServer):
    base = f"{registry.address}/multi/app"
    for tag in ("one", "two"):
        lamina("import", "-", f"{base}:{tag}", stdin=tar([Piece(tag, tag.encode())]))
    lamina("push", f"{base}:one")
    said = lamina("manifest", "create", f"{base}:all", f"{base}:one", f"{base}:two")
    assert said == f"Created manifest list {base}:all\n"
    refused = lamina.attempt("manifest", "create", f"{base}:all", f"{base}:one")
    assert (refused.code, "--amend" in refused.err) == (1, True)
    lamina(
        "manifest", "annotate", "--os", "linux", "--arch", "arm", "--variant", "v6",
        "--os-features", "sse4", f"{base}:all", f"{base}:two",
    )  # fmt: skip
    draft = decode(lamina("manifest", "inspect", f"{base}:all"))
    assert draft["manifests"][1]["platform"] == {
        "architecture": "arm", "os": "linux", "variant": "v6", "os.features": ["sse4"],
    }  # fmt: skip
    digest = lamina("manifest", "push", "--purge", f"{base}:all").strip()
    pushed = subprocess.run(
        ["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{base}:all"],
        capture_output=True, check=True,
    )  # fmt: skip
    assert json.loads(pushed.stdout) == draft
    shown = lamina("manifest", "inspect", "-v", f"{base}:all")
    assert decode(shown)["Descriptor"]["digest"] == digest
    gone = lamina.attempt("manifest", "rm", f"{base}:all")
    assert (gone.code, "No such manifest" in gone.err) == (1, True)
