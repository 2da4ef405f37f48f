"""A layer's bytes by directories."""

from lamina.study.parts import Part, Parting


def shown(part: Part) -> object:
    inside = [shown(one) for one in part.parts]
    return (part.name.decode(), part.size, part.wasted, part.count, *([inside] if inside else []))


def test_directories_have_the_bytes_of_all_that_is_in_them_the_largest_first():
    parting = Parting(1000)
    parting.file(b"a/x", 10)
    parting.file(b"a/b/c/y", 300)
    parting.wasted(b"a/b/c/y", 300)
    parting.file(b"a/d/z", 40)
    parting.file(b"top", 50)
    parting.file(b"usr/w", 600)
    root = parting.whole()
    assert shown(root) == ("", 1000, 300, 5, [
        ("usr", 600, 0, 1, [("w", 600, 0, 1)]),
        ("a", 350, 300, 3, [
            ("b", 300, 300, 1, [("c", 300, 300, 1, [("y", 300, 300, 1)])]),
            ("d", 40, 0, 1, [("z", 40, 0, 1)]),
            ("x", 10, 0, 1),
        ]),
        ("top", 50, 0, 1),
    ])  # fmt: skip
    assert [part.is_directory for part in root.parts] == [True, True, False]


def test_what_is_small_is_counted_and_not_kept():
    parting = Parting(10_000_000)
    for number in range(2000):
        parting.file(b"many/%04d" % number, 100)
    parting.file(b"one", 9_800_000)
    root = parting.whole()
    assert (root.size, root.count) == (10_000_000, 2001)
    assert [(part.name, part.count, part.parts) for part in root.parts] == [
        (b"one", 1, ()),
        (b"many", 2000, ()),
    ]


def test_names_that_begin_alike_are_different_directories():
    parting = Parting(2)
    parting.file(b"a/x", 1)
    parting.file(b"ab/x", 1)
    assert [(part.name, part.size) for part in parting.whole().parts] == [(b"a", 1), (b"ab", 1)]


def test_nothing_at_all_is_a_root_without_parts():
    assert Parting(0).whole() == Part(b"", 0, 0, 0, is_directory=True, parts=())
