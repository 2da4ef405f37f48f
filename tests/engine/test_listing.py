import pytest
from tests.engine.worlds import make_engine

from lamina.engine.listing import summaries
from lamina.errors import Invalid


def test_no_container_is_an_empty_listing(tmp_path):
    engine = make_engine(tmp_path)
    assert summaries(engine) == summaries(engine, all=True) == ()


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ({"odd": ("x",)}, "invalid filter 'odd'"),
        ({"status": ("up",)}, "invalid filter 'status=up'"),
    ],
)
def test_a_filter_nobody_knows_is_refused_by_name(tmp_path, filters, words: str):
    with pytest.raises(Invalid, match=words):
        summaries(make_engine(tmp_path), filters=filters)
