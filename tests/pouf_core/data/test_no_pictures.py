"""What is said of files among pictures that are none."""

from __future__ import annotations

import pytest

from pouf_core.data.item_names import parse_name
from pouf_core.data.no_pictures import said_of
from pouf_core.errors import InvalidInput


@pytest.mark.parametrize("name", ["emb.pt", "model.pth", "a.pkl", "a.h5", "a.npy"])
def test_of_files_of_arrays_it_is_said_how_embeddings_are_saved(name: str) -> None:
    message, _ = said_of(parse_name(name), InvalidInput("undecodable_image", "The file is no picture."))
    assert 'numpy.save("features.npy", features)' in message


@pytest.mark.parametrize("name", ["a.JP2", "a.psd", "a.svg"])
def test_of_kinds_of_pictures_that_are_not_read_it_is_said_what_to_do(name: str) -> None:
    message, lost = said_of(parse_name(name), InvalidInput("undecodable_image", "The file is no picture."))
    assert "Export it as PNG or JPEG" in message
    assert lost == "item"
