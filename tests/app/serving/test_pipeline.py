"""Decoding beside encoding."""

import asyncio
import io
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from PIL import Image
from starlette.concurrency import run_in_threadpool

from app.serving.batcher import Batcher
from app.serving.inputs import DecoderPool, item_bytes
from app.serving.outcomes import ItemError
from app.serving.pipeline import Pipeline
from pouf_core.data.decoder import DecoderLimits
from pouf_core.families.interface import SharedEncoder
from tests.app.colour_engine import ColourPredictor

BATCH = 8
WAIT = 30


def picture(red):
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (red, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def colour_of(image):
    return torch.tensor(image.getpixel((0, 0))) / 255


@pytest.fixture
def pipeline():
    batcher = Batcher(BATCH, 0.005, 512, 10**9, item_bytes)
    decoders = DecoderPool(2, DecoderLimits(1024**3, 10), 10**6)
    made = Pipeline(batcher, decoders, threads=2, batch_size=BATCH)
    yield made
    made.close()
    batcher.stop()
    decoders.close()


def test_rows_come_in_the_order_of_the_sources_and_bad_ones_fail_alone(pipeline):
    sources = [picture(red) for red in range(0, 250, 10)]
    sources[3] = b"no picture"
    encoder = SharedEncoder("colour", torch.stack, prepare=colour_of)
    rows = asyncio.run(pipeline.rows(sources, ColourPredictor("m"), encoder))
    assert isinstance(rows[3], ItemError)
    assert rows[3].code == "undecodable_image"
    good = [round(float(row[0]) * 255) for row in rows if not isinstance(row, ItemError)]
    assert good == [red for red in range(0, 250, 10) if red != 30]


def test_pictures_are_decoded_while_the_encoder_is_busy(pipeline):
    second_is_decoded = threading.Event()
    waited = []

    def encode(items):
        if not waited:
            waited.append(second_is_decoded.wait(WAIT))
        return torch.stack(items)

    def decoded(image):
        second_is_decoded.set()
        return colour_of(image)

    async def both():
        first = pipeline.rows([picture(1)], ColourPredictor("m"), SharedEncoder("a", encode, prepare=colour_of))
        second = pipeline.rows([picture(2)], ColourPredictor("m"), SharedEncoder("b", encode, prepare=decoded))
        await asyncio.gather(first, second)

    asyncio.run(both())
    assert waited == [True]


def test_a_request_of_many_pictures_is_encoded_before_all_of_them_are_decoded(pipeline):
    encoded = threading.Event()
    decoded = []

    def prepare(image):
        decoded.append(image)
        assert len(decoded) <= 2 * BATCH + 8 or encoded.wait(WAIT)
        return colour_of(image)

    def encode(items):
        encoded.set()
        return torch.stack(items)

    rows = pipeline.rows([picture(1)] * 6 * BATCH, ColourPredictor("m"), SharedEncoder("c", encode, prepare=prepare))
    assert len(asyncio.run(rows)) == 6 * BATCH


def test_other_requests_do_not_wait_for_a_thread_behind_pictures(pipeline):
    free = threading.Event()

    def slow(image):
        free.wait(WAIT)
        return colour_of(image)

    async def run():
        encoder = SharedEncoder("colour", torch.stack, prepare=slow)
        requests = [
            asyncio.ensure_future(pipeline.rows([picture(1)], ColourPredictor("m"), encoder)) for _ in range(100)
        ]
        await asyncio.sleep(0.2)
        started = time.monotonic()
        await run_in_threadpool(int)
        seconds = time.monotonic() - started
        free.set()
        await asyncio.gather(*requests)
        return seconds

    assert asyncio.run(run()) < WAIT / 2


def test_a_caller_that_floods_does_not_make_another_wait_for_all_of_its_pictures(pipeline):
    encoded = []

    def encode(items):
        encoded.extend(round(float(item[0]) * 255) for item in items)
        time.sleep(0.01)
        return torch.stack(items)

    async def run():
        encoder = SharedEncoder("colour", encode, prepare=colour_of)
        flood = [
            asyncio.ensure_future(pipeline.rows([picture(1)] * 4 * BATCH, ColourPredictor("m"), encoder, "flooding"))
            for _ in range(10)
        ]
        while len(encoded) < BATCH:
            await asyncio.sleep(0.005)
        before = len(encoded)
        await pipeline.rows([picture(200)], ColourPredictor("m"), encoder, "another")
        after = len(encoded)
        await asyncio.gather(*flood)
        return after - before

    # what two threads were decoding, and two batches: the one under way and its own
    assert asyncio.run(run()) <= 2 * 4 + 3 * BATCH
    assert len(encoded) == 40 * BATCH + 1


def test_a_caller_that_leaves_takes_its_pictures_out_of_the_queue(pipeline):
    free = threading.Event()
    prepared = []

    def prepare(image):
        prepared.append(image)
        free.wait(WAIT)
        return colour_of(image)

    async def run():
        encoder = SharedEncoder("colour", torch.stack, prepare=prepare)
        request = asyncio.ensure_future(pipeline.rows([picture(1)] * 40, ColourPredictor("m"), encoder))
        while len(prepared) < 2:
            await asyncio.sleep(0.01)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        free.set()
        with ThreadPoolExecutor(1) as other:  # what was begun may still end
            await asyncio.get_running_loop().run_in_executor(other, time.sleep, 0.5)

    asyncio.run(run())
    assert len(prepared) <= 2 * 4
