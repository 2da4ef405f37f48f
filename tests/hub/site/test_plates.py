"""Layers as plates."""

from lamina.hub.site.plates import plates


def bottom(points: str) -> float:
    return max(float(point.partition(",")[2]) for point in points.split())


def thickness(plate) -> float:
    return bottom(plate.front) - bottom(plate.top)


def test_larger_layers_are_drawn_thicker_and_lower_ones_first():
    drawn, height = plates([100, 900], topmost=2, has_writable=True)
    assert [(plate.number, plate.label) for plate in drawn] == [(1, "1"), (2, "2"), (0, "0")]
    assert thickness(drawn[0]) > thickness(drawn[1]) > 0
    assert bottom(drawn[0].front) <= height


def test_five_hundred_layers_are_as_high_as_a_window_and_in_order():
    drawn, height = plates([n % 50 + 1 for n in range(500)], topmost=500, has_writable=False)
    assert height < 700
    assert all(plate.label == "" for plate in drawn)
    tops = [bottom(plate.top) for plate in drawn]
    assert tops == sorted(tops, reverse=True)
    assert all(thickness(plate) > 0 for plate in drawn)


def test_an_image_without_layers_has_nothing_to_draw():
    assert plates([], topmost=0, has_writable=False)[0] == ()
    assert [plate.number for plate in plates([0], topmost=1, has_writable=False)[0]] == [1]
