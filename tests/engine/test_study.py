"""An image opened to be understood."""

import io

import pytest
from tests.archives import archive
from tests.engine.worlds import ran
from tests.images import Piece, tar

from lamina.engine.engine import Engine
from lamina.engine.study import Study, studied

LOW = tar([
    Piece("usr/", directory=True), Piece("usr/bin/", directory=True), Piece("usr/bin/tool", b"t"),
    Piece("bin", link="usr/bin"), Piece("loop", link="loop"),
])  # fmt: skip


def test_each_layer_has_who_made_it_and_paths_are_found_where_they_are(engine: Engine):
    engine.images.load(io.BytesIO(archive("it:1", layers=(LOW, tar([Piece("usr/bin/.wh.tool")])))))
    with studied(engine, "it:1") as study:
        assert [(made.number, made.created_by[-12:]) for made in study.made] == [
            (1, "ile:12 in / "),
            (2, "e # buildkit"),
        ]
        places = {path: study.place(path) for path in (
            b"/bin/tool", b"bin", b"bin/", b"/", b"no/../bin/x/y", b"/usr//bin/./tool", b"loop/x",
        )}  # fmt: skip
        assert places == {
            b"/bin/tool": b"usr/bin/tool", b"bin": b"bin", b"bin/": b"bin", b"/": b"",
            b"no/../bin/x/y": b"usr/bin/x/y", b"/usr//bin/./tool": b"usr/bin/tool", b"loop/x": b"loop/x",
        }  # fmt: skip
        assert [event.number for event in study.life(b"usr/bin/tool")] == [1, 2]
        assert len(list(study.lives())) == 6
        assert study.waste().size == 1


@pytest.mark.root
def test_what_a_container_wrote_is_its_topmost_layer_as_a_commit_would_make_it(
    engine: Engine, base: object
):
    ident = ran(
        engine,
        "rm /bin/cat; echo other > /etc/passwd; mkdir -p /srv; echo one > /srv/a; ln /srv/a /srv/b;"
        " printf 'password=%s%s\\n' hunter hunterhunter > /srv/.env; mv /srv/a /srv/c; chmod 700 /etc",
        env=("API_TOKEN=ghp_" + "a1B2" * 9,),
        name="writer",
    )
    engine.commit(ident, "made:1")
    with studied(engine, ident, written=True) as written, studied(engine, "made:1") as made:
        assert len(written.layers) == len(made.layers) == 2
        assert told(written) == told(made)
        assert written.waste() == made.waste()
        assert written.secrets() == made.secrets() != ()
        assert written.packages() == made.packages()
        top = written.made[-1]
        assert (top.number, top.diff_id) == (2, "")
        assert top.comment == "what container writer wrote; not committed"
        changed = [node for path, node in written.tree.walk() if path == b"etc/passwd"]
        assert written.tree.read(changed[0]) == b"other\n"


@pytest.mark.root
def test_a_container_that_wrote_nothing_has_no_such_layer(engine: Engine, base: object):
    ident = ran(engine, "")
    with studied(engine, ident, written=True) as study:
        assert len(study.layers) == len(study.made) == 1
    with studied(engine, ident) as study:
        assert len(study.layers) == 1


def told(study: Study) -> list[object]:
    """Tell the story of every path, but for times: the file system's are of the container's start."""
    return [
        (path, [(e.number, e.change, e.aspects, e.by) for e in events])
        for path, events in study.lives()
    ]
