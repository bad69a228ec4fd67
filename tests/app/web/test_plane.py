"""The map of items: where they are drawn, and what their table says."""

import numpy as np

from app.web.plane import COLOURS, SIZE, plane_map


def test_a_map_has_a_dot_an_item_and_tells_which_classes_lie_next_to_each_other():
    places = np.array([[0, 0], [0.1, 0], [0.9, 1], [1, 1], [0.98, 1]], np.float32)
    found = plane_map(places, np.array([2, 2, 0, 2, 0], np.int32), ["cat", "none", "dog"], 40)
    assert found.of == 40
    assert [(dot.x, dot.y) for dot in found.dots] == [(0, 0), (100, 0), (900, SIZE), (SIZE, SIZE), (980, SIZE)]
    assert [dot.colour for dot in found.dots] == [0, 0, 1, 0, 1]
    dogs, cats = found.classes
    assert (dogs.name, dogs.items, dogs.scattered, dogs.beside) == ("dog", 3, 1, "cat")
    assert (cats.name, cats.items, cats.scattered, cats.beside) == ("cat", 2, 1, "dog")


def test_rare_classes_share_a_colour():
    count = COLOURS + 2
    labels = np.repeat(np.arange(count), np.arange(count, 0, -1)).astype(np.int32)
    found = plane_map(np.zeros((len(labels), 2), np.float32), labels, [str(place) for place in range(count)], 9)
    assert [one.colour for one in found.classes] == [*range(COLOURS), COLOURS, COLOURS]


def test_one_item_has_no_neighbour():
    [one] = plane_map(np.zeros((1, 2), np.float32), np.zeros(1, np.int32), ["cat", "dog"], 1).classes
    assert (one.items, one.scattered, one.beside) == (1, 0, None)
