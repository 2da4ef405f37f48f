"""An image opened to be understood."""

import io

from tests.archives import archive
from tests.images import Piece, tar

from lamina.engine.engine import Engine
from lamina.engine.study import studied

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
