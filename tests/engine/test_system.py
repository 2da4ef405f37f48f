"""Facts about one engine as a whole."""

from tests.engine.worlds import import_image


def test_what_interrupted_downloads_left_is_forgotten_on_demand(engine):
    import_image(engine, "a:1")
    with engine.store.blobs.writer("half") as writer:
        writer.write(b"x" * 5000)
        assert engine.system.drop_downloads() == 0, "somebody is at it"
    assert engine.system.drop_downloads() == 5000
    assert engine.system.drop_downloads() == 0


def test_info_counts_images_and_names_the_root(engine):
    import_image(engine, "a:1")
    said = engine.system.info()
    assert (said["Images"], said["LaminaRootDir"]) == (1, engine.settings.root)
