"""Features in the plane."""

import numpy as np
import pytest

from pouf_core.predictions.plane import in_the_plane

# importing scikit-learn takes seconds; of the default run, tests/app/serving/test_planes.py uses it
pytestmark = pytest.mark.slow


def drawn(count: int, groups: int = 3, width: int = 16) -> np.ndarray:
    randomness = np.random.default_rng(0)
    centres = 4 * randomness.normal(size=(groups, width))
    return (centres[np.arange(count) % groups] + randomness.normal(size=(count, width))).astype(np.float16)


@pytest.mark.parametrize("count", [1, 2, 4, 5, 6])
def test_a_few_items_lie_in_the_unit_square(count):
    places = in_the_plane(drawn(count))
    assert places.shape == (count, 2)
    assert (places >= 0).all() and (places <= 1).all()


def test_equal_items_are_laid_out_too():
    assert np.isfinite(in_the_plane(np.ones((9, 3), np.float16))).all()


def test_items_of_a_group_lie_together_and_the_same_places_come_again():
    places = in_the_plane(drawn(150))
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (distances.argmin(axis=1) % 3 == np.arange(150) % 3).all()
    assert np.array_equal(places, in_the_plane(drawn(150)))
