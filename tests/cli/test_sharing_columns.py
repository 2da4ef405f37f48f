"""The columns of a picture of shared layers, and its words."""

from lamina.cli.sharing_columns import columns, image_name, letter, summary
from lamina.engine.sharing import Part, SharedImage, Sharing, Standing

__all__ = ["forest", "image"]


def image(
    name: str, *more: str, frees: int = 10, size: int = 100, containers: int = 0
) -> SharedImage:
    names = (name, *more) if name else ()
    return SharedImage(
        f"sha256:{len(name):064x}", names, "2026-01-02T03:04:05Z", 3, size, frees, containers
    )


def part(*places: int, size: int, held: bool = False, together: int = 0) -> Part:
    diff_ids = ("sha256:" + f"{size:064x}",)
    return Part(places, diff_ids, size, held=held, kept=False, together=together or size + 20)


def forest(count: int, *, held: bool = False) -> Sharing:
    """Give `count` images in pairs: two by two share a part, and all of them one."""
    images = tuple(image(f"app{number}:1", frees=number * 1000) for number in range(count))
    parts = [part(*range(count), size=9_000_000, held=held)]
    parts += [part(at, at + 1, size=1000 * (at + 1)) for at in range(0, count - 1, 2)]
    parts += [part(at, size=1000 * at) for at in range(count)]
    return Sharing(images, tuple(parts), (), alone=90_000_000, size=10_000_000, held=0)


def test_each_part_of_several_images_has_a_column_while_there_is_room():
    found = columns(forest(6), most=9)
    assert [column.label for column in found] == ["A", "B", "C", "D"]
    assert found[0].images == frozenset(range(6))
    assert found[3].images == {4, 5}


def test_those_that_save_least_are_one_column_where_there_is_none():
    found = columns(forest(10), most=3)
    assert [(column.label, column.parts) for column in found] == [("A", 1), ("B", 1), ("+", 4)]
    assert found[1].images == {8, 9}
    assert found[2].size == 1000 + 3000 + 5000 + 7000
    assert found[2].images == set(range(8))
    assert found[2].together == forest(10).frees(range(8))


def test_letters_go_on_after_the_alphabet():
    assert [letter(number) for number in (0, 25, 26, 51, 52, 104)] == [
        "A",
        "Z",
        "a",
        "z",
        "A1",
        "A2",
    ]


def test_an_image_is_called_by_its_first_name_and_a_dangling_one_by_its_id():
    assert image_name(image("a:1", "b:1", "c:1")) == "a:1 (+2)"
    assert image_name(image("")) == "<none> 000000000000"


def test_the_summary_says_what_is_dangling_and_what_stays():
    images = (image("a:1"), image(""), image("", containers=1))
    parts = (part(0, 1, 2, size=500, held=True), part(1, size=300), part(2, size=200))
    standing = (Standing("0" * 64, "c", images[2].id, 7, running=True),)
    said = summary(Sharing(images, parts, standing, alone=2000, size=1000, held=500))
    assert said == [
        "3 images of 3 layers take 1kB on the disk; without sharing 2kB",
        "2 images dangling, 1 in use: `lamina image prune --now` frees 300B",
        "500B of it stay when they go: other images, containers or `lamina undo` need it",
    ]
