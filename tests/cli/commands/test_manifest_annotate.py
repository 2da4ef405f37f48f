"""`lamina manifest annotate` says for which platform an image of a list is."""

from tests.commands import Lamina
from tests.images import Piece, tar

from lamina.spec.wire import decode


def test_only_what_is_named_changes(lamina: Lamina):
    lamina("import", "--platform", "linux/arm64", "-", "one:1", stdin=tar([Piece("a", b"a")]))
    lamina("manifest", "create", "all:1", "one:1")
    lamina("manifest", "annotate", "--variant", "v8", "--os-version", "11", "all:1", "one:1")
    (row,) = decode(lamina("manifest", "inspect", "all:1"))["manifests"]
    assert row["platform"] == {
        "architecture": "arm64", "os": "linux", "variant": "v8", "os.version": "11",
    }  # fmt: skip
    outcome = lamina.attempt("manifest", "annotate", "--arch", "arm", "all:1", "other:1")
    assert outcome.code == 1
    assert "manifest for image other:1 does not exist in all:1" in outcome.err
