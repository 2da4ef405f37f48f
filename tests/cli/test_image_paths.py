"""Taking `debian:12:/etc` apart, and finding what it means."""

import io

import pytest
from tests.archives import archive
from tests.consoles import console

from lamina.cli.image_paths import ImagePath, PathMissing, Trees
from lamina.engine.engine import Engine
from lamina.errors import Invalid
from lamina.layer.entry import Kind
from lamina.settings import Settings


@pytest.mark.parametrize(
    ("text", "name", "path"),
    [
        ("debian", "debian", "/"),
        ("debian:12", "debian:12", "/"),
        ("debian:/etc", "debian", "/etc"),
        ("debian:12:/etc", "debian:12", "/etc"),
        ("debian:12:/", "debian:12", "/"),
        ("localhost:5000/a/b:tag:/etc", "localhost:5000/a/b:tag", "/etc"),
        ("[::1]:5000/a:/etc", "[::1]:5000/a", "/etc"),
        (f"sha256:{'a' * 64}:/etc", f"sha256:{'a' * 64}", "/etc"),
        (f"debian@sha256:{'b' * 64}:/x", f"debian@sha256:{'b' * 64}", "/x"),
        ("debian:/odd:/name", "debian", "/odd:/name"),
        ("docker://localhost:5000/a:1:/etc", "docker://localhost:5000/a:1", "/etc"),
        ("docker://debian", "docker://debian", "/"),
    ],
)
def test_the_path_begins_at_the_first_colon_before_a_slash(text: str, name: str, path: str):
    place = ImagePath(text)
    assert (place.name, place.path) == (name, path)
    assert place.has_path == (text != name)


def test_a_path_of_no_image_is_refused():
    for text in (":/etc", "", "docker://", "docker://:/etc"):
        with pytest.raises(Invalid, match="names no image"):
            ImagePath(text)


def test_what_is_found_and_what_is_not(settings: Settings, engine: Engine):
    engine.images.load(io.BytesIO(archive("mysql:latest")))
    with Trees(console(settings).context()) as trees:
        tree, path, node = trees.find(ImagePath("mysql:/etc/./../etc/first"))
        assert (path, node.kind) == (b"etc/first", Kind.FILE)
        assert trees.of("mysql") is tree
        for text, said in (
            ("mysql:/etc/nosuch", "No such file"),
            ("mysql:/etc/first/x", "Not a directory"),
            ("mysql:/etc/first/", "Not a directory"),
        ):
            with pytest.raises(PathMissing, match=said) as caught:
                trees.find(ImagePath(text))
            assert caught.value.message.startswith(text)
        with pytest.raises(PathMissing) as missing:
            trees.find(ImagePath("mysql:/etc/nosuch/deeper"))
        assert "`lamina ls mysql:/etc`" in missing.value.hint
