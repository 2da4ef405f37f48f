"""Everything about images whose figures are known to the byte."""

from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.layer.test_view import ROOT, file, folder
from tests.study.explored import documents, explored
from tests.study.piles import Items, pile

from lamina.errors import Invalid
from lamina.layer.entry import Entry, Kind
from lamina.layer.hollow import ContentLeftOut, HollowLayer, pack, unpack
from lamina.study.exploration import Large, Tally, explore
from lamina.study.records import is_record
from lamina.study.waste import waste

LOW: Items = [
    ROOT, folder(b"a"), file(b"a/changed", b"c" * 1000), file(b"a/removed", b"r" * 200),
    file(b"a/again", b"g" * 4), file(b"a/kept", b"k" * 5000), Entry(b"a/link", Kind.HARDLINK, link=b"a/kept"),
    folder(b"tree"), folder(b"tree/deep"), file(b"tree/deep/one", b"1" * 600),
]  # fmt: skip
HIGH: Items = [
    ROOT, folder(b"a"), file(b"a/changed", b"C" * 900), file(b"a/.wh.removed"), file(b"a/again", b"g" * 4),
    file(b".wh.tree"), file(b"a/new", b"n" * 30), folder(b"srv"), file(b"srv/.env", b"DB_PASSWORD=secret12\n"),
]  # fmt: skip
STEPS = ("ADD file", "-CMD sh", "RUN make", "-ENV A=b")


def test_each_layers_deeds_are_counted_to_the_byte(tmp_path: Path):
    found = explored(tmp_path, LOW, HIGH, steps=STEPS)
    low, high = found.layers
    assert low.added == Tally(9, 6804)  # a second name has no bytes of its own
    assert (low.changed, low.repeated, low.removed) == (Tally(), Tally(), Tally())
    assert (low.size, low.wasted, low.hidden) == (6804, 1804, 0)
    assert high.added == Tally(3, 51)
    assert high.changed == Tally(1, 900)
    assert high.repeated == Tally(1, 4)
    assert high.removed == Tally(4, 800)
    assert (high.size, high.wasted, high.hidden) == (955, 0, 1804)
    assert (found.size, found.waste.visible) == (7759, 5955)
    assert found.compressed_size == 300
    assert [(part.name, part.size, part.wasted) for part in low.root.parts] == [
        (b"a", 6204, 1204),
        (b"tree", 600, 600),
    ]
    assert found.largest == (
        Large(b"a/kept", 5000, 1), Large(b"a/changed", 900, 2), Large(b"a/new", 30, 2),
        Large(b"srv/.env", 21, 2), Large(b"a/again", 4, 2),
    )  # fmt: skip


def test_the_history_says_which_step_made_which_layer(tmp_path: Path):
    found = explored(tmp_path, LOW, HIGH, steps=STEPS)
    assert [(step.number, step.layer, step.instruction) for step in found.steps] == [
        (1, 1, "ADD file"), (2, 0, "CMD sh"), (3, 2, "RUN make"), (4, 0, "ENV A=b"),
    ]  # fmt: skip
    assert found.made == ("ADD file", "RUN make")
    assert found.layers[0].chain_id == found.layers[0].diff_id != found.layers[1].chain_id
    bare = explored(tmp_path / "bare", LOW, HIGH)
    assert [(step.layer, step.instruction) for step in bare.steps] == [(1, ""), (2, "")]


def test_the_rest_is_what_the_other_studies_say(tmp_path: Path):
    found = explored(tmp_path / "a", LOW, HIGH)
    with pile(tmp_path / "b", LOW, HIGH) as layers:
        assert found.waste == waste(layers)
    assert [(one.path, one.number) for one in found.secrets] == [(b"srv/.env", 2)]
    assert found.packages == ()


def test_layers_without_their_content_give_the_same_but_for_secrets(tmp_path: Path):
    status = file(
        b"var/lib/dpkg/status",
        b"Package: tool\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n",
    )
    low: Items = [*LOW, folder(b"var"), folder(b"var/lib"), folder(b"var/lib/dpkg"), status]
    config, manifest = documents(2, STEPS)
    with ExitStack() as stack:
        whole = stack.enter_context(pile(tmp_path, low, HIGH))
        hollow = []
        for number, layer in enumerate(whole):
            place = str(tmp_path / f"hollow{number}")
            unpack(pack(layer, is_record), place)
            hollow.append(stack.enter_context(HollowLayer.open(place)))
        expected = explore(whole, config, manifest, name="x")
        found = explore(hollow, config, manifest, name="x", secrets=expected.secrets)
        assert found == expected
        assert [package.name for package in found.packages] == ["tool"]
        with pytest.raises(ContentLeftOut):
            explore(hollow, config, manifest, name="x")


def test_only_the_hundred_largest_files_are_told(tmp_path: Path):
    items: Items = [ROOT, *(file(b"f%03d" % size, b"x" * size) for size in range(150))]
    largest = explored(tmp_path, items).largest
    assert [one.size for one in largest] == list(range(149, 49, -1))


def test_an_image_without_layers_is_explored(tmp_path: Path):
    found = explored(tmp_path, steps=("-CMD sh",))
    assert (found.layers, found.size, found.waste.efficiency) == ((), 0, 1.0)
    assert len(found.steps) == 1


def test_documents_of_different_images_are_refused(tmp_path: Path):
    config, _ = documents(2)
    _, manifest = documents(1)
    with pile(tmp_path, LOW, HIGH) as layers, pytest.raises(Invalid, match="1 layers"):
        explore(layers, config, manifest, name="x")
