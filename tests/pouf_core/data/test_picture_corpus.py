"""Pictures as people have them, by both doors: as uploads and predictions decode them, and as the library does."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from PIL import Image

from pouf_core.contract.item_limits import DECODING_CPU_SECONDS, DECODING_MEMORY_BYTES, MAX_PIXELS
from pouf_core.data.decoder import Decoder, DecoderLimits
from pouf_core.data.images import decode_image
from pouf_core.errors import InvalidInput
from tests.corpus.pictures import PICTURES, Picture


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder(DecoderLimits(DECODING_MEMORY_BYTES, DECODING_CPU_SECONDS)) as decoder:
        yield decoder


def outcome(decode: Callable[[], Image.Image]) -> tuple[str | None, bytes]:
    """Why a picture is refused, or its pixels."""
    try:
        return None, decode().tobytes()
    except InvalidInput as error:
        return error.code, b""


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_a_picture_is_seen_as_it_was_meant(picture: Picture, decoder: Decoder) -> None:
    uploaded = outcome(lambda: decoder.decode(picture.content, MAX_PIXELS))
    assert uploaded == outcome(lambda: decode_image(picture.content))
    assert uploaded[0] == picture.code
    if picture.size is not None:
        image = Image.frombytes("RGB", picture.size, uploaded[1])
        assert image.getpixel((6, 6)) == pytest.approx(picture.top_left, abs=picture.tolerance)
        assert image.getpixel((image.width - 7, 6)) == pytest.approx(picture.top_right, abs=picture.tolerance)


def test_the_corpus_is_large_and_its_names_differ() -> None:
    names = [picture.name for picture in PICTURES]
    assert len(set(names)) == len(names) >= 40
