"""What a check found is put right from what is here, or from the registry it came from."""

import os
from pathlib import Path

from tests.engine.test_fsck import blob_of, in_index, layer_of, spoil
from tests.engine.worlds import import_image, merged
from tests.servers import RegistryServer

from lamina.engine.engine import Engine
from lamina.engine.findings import Health, Report
from lamina.engine.fsck import check
from lamina.engine.mend import mend


def mended(engine: Engine) -> Report:
    report = mend(engine, check(engine))
    assert check(engine).is_clean == report.is_clean
    return report


def test_an_index_is_made_again_from_its_tar_to_the_same_bytes(engine: Engine):
    import_image(engine, "base")
    path = layer_of(engine)
    before, tree = path.read_bytes(), merged(engine, "base")
    spoil(path, in_index(path))
    blob_of(engine).unlink()  # not needed for it
    report = mend(engine, check(engine))
    [layer] = [f for f in report.findings if f.health is Health.MENDED]
    assert layer.detail.endswith("index made again from its tar")
    assert path.read_bytes() == before
    assert merged(engine, "base") == tree


def test_a_layer_whose_tar_is_damaged_is_made_again_from_its_blob(engine: Engine):
    import_image(engine, "base")
    path = layer_of(engine)
    before = path.read_bytes()
    for harm in (lambda: spoil(path, 5000), lambda: os.truncate(path, 9000), path.unlink):
        harm()
        report = mended(engine)
        assert [f.health for f in report.findings] == [Health.MENDED]
        assert path.read_bytes() == before


def test_blobs_and_documents_come_again_from_the_registry_of_the_image(
    engine: Engine, registry: RegistryServer
):
    import_image(engine, "base")
    name = f"{registry.address}/mend/base:v1"
    engine.images.tag("base", name)
    engine.images.push(name)
    engine.images.remove("base", now=True)
    image = engine.images.resolve(name)
    digests = [image.manifest.digest, image.config.digest, image.manifest.layers[0].digest]
    paths = [Path(engine.store.blobs.path(digest)) for digest in digests]
    before = [path.read_bytes() for path in paths]
    for path in paths:
        spoil(path, 12)
    report = mended(engine)
    assert report.is_clean
    assert [path.read_bytes() for path in paths] == before
    assert any("fetched again from" in finding.detail for finding in report.findings)


def test_what_is_nowhere_stays_as_it_is_and_is_said(engine: Engine):
    import_image(engine, "base")
    path = blob_of(engine)
    spoil(path, 30)
    damaged = path.read_bytes()
    report = mended(engine)
    assert not report.is_clean
    assert "not mended" in report.findings[0].detail
    assert path.read_bytes() == damaged


def test_both_copies_of_a_layer_gone_is_said(engine: Engine):
    import_image(engine, "base")
    spoil(layer_of(engine), 5000)
    blob_of(engine).unlink()
    report = mended(engine)
    assert {f.health for f in report.findings} == {Health.BROKEN}
