import threading
import time
from concurrent.futures import wait

import pytest

from app.serving.batcher import Batcher, BatcherStopped, QueueFull
from tests.waiting import WAIT_SECONDS, wait_for


class Doubler:
    """An encoder that doubles numbers, fails on negative ones and remembers its batches."""

    def __init__(self, key="doubler", gate=None):
        self.key = key
        self.gate = gate
        self.seen = []

    def encode(self, items):
        if self.gate is not None:
            assert self.gate.wait(WAIT_SECONDS)
        self.seen.append(list(items))
        if any(item == "deadly" for item in items):
            raise SystemExit("the thread dies")
        if any(item < 0 for item in items):
            raise ValueError("negative")
        return [2 * item for item in items]


@pytest.fixture
def make():
    batchers = []

    def make(batch_size=8, max_delay=0.05, max_items=100, max_bytes=10**9, size=lambda item: 1):
        batcher = Batcher(batch_size, max_delay, max_items, max_bytes, size)
        batcher.start()
        batchers.append(batcher)
        return batcher

    yield make
    for batcher in batchers:
        batcher.stop()


@pytest.fixture
def gate():
    gate = threading.Event()
    yield gate
    gate.set()


def results(futures):
    return [future.result(WAIT_SECONDS) for future in futures]


def occupy(batcher, gate):
    """Keep the thread busy until `gate` is set."""
    (future,) = batcher.submit(Doubler("busy", gate), [0])
    wait_for(future.running)


def test_requests_over_one_encoder_share_a_batch(make):
    batcher, encoder = make(max_delay=WAIT_SECONDS), Doubler()
    with batcher.expecting(encoder, 3):
        futures = [batcher.submit(Doubler(encoder.key), [1]), batcher.submit(encoder, [2, 3])]
    assert [results(f) for f in futures] == [[2], [4, 6]]
    assert (batcher.batches, batcher.items) == (1, 3)


def test_a_full_batch_does_not_wait_for_the_queue_delay(make):
    batcher = make(batch_size=4, max_delay=WAIT_SECONDS)
    started = time.monotonic()
    with batcher.expecting(Doubler(), 5):
        assert results(batcher.submit(Doubler(), [1, 2, 3, 4])) == [2, 4, 6, 8]
    assert time.monotonic() - started < WAIT_SECONDS / 2


def test_an_item_waits_for_others_that_are_about_to_come_until_the_maximum_queue_delay(make):
    batcher = make(max_delay=0.2)
    started = time.monotonic()
    with batcher.expecting(Doubler(), 2):
        assert results(batcher.submit(Doubler(), [1])) == [2]
    assert time.monotonic() - started > 0.19


def test_an_item_does_not_wait_when_no_other_of_its_encoder_is_about_to_come(make):
    batcher = make(max_delay=WAIT_SECONDS)
    started = time.monotonic()
    with batcher.expecting(Doubler("another"), 2):
        assert results(batcher.submit(Doubler(), [1])) == [2]
    with pytest.raises(RuntimeError), batcher.expecting(Doubler(), 1):
        raise RuntimeError("it could not be decoded")
    assert results(batcher.submit(Doubler(), [1])) == [2]
    assert time.monotonic() - started < WAIT_SECONDS / 2


def test_callers_take_turns_within_batches(make, gate):
    batcher, encoder = make(batch_size=4), Doubler()
    occupy(batcher, gate)
    flood = batcher.submit(encoder, list(range(10, 20)), "flooding")
    (single,) = batcher.submit(encoder, [1], "another")
    gate.set()
    assert results([*flood, single]) == [2 * item for item in [*range(10, 20), 1]]
    assert encoder.seen == [[10, 1, 11, 12], [13, 14, 15, 16], [17, 18, 19]]


def test_callers_over_other_encoders_get_every_other_batch(make, gate):
    batcher, one, two = make(batch_size=2), Doubler("one"), Doubler("two")
    one.seen = two.seen = order = []
    occupy(batcher, gate)
    futures = batcher.submit(one, [11, 12, 13, 14, 15, 16], "flooding") + batcher.submit(two, [21, 22], "another")
    gate.set()
    results(futures)
    assert order == [[11, 12], [21, 22], [13, 14], [15, 16]]


def test_one_caller_does_not_fill_the_queue_for_the_others(make, gate):
    batcher, encoder = make(max_items=100), Doubler()
    occupy(batcher, gate)
    with pytest.raises(QueueFull):
        for _ in range(100):
            batcher.submit(encoder, [1, 2], "flooding")
    assert 75 <= batcher.depth <= 90
    futures = batcher.submit(encoder, [3, 4], "another")
    gate.set()
    assert results(futures) == [6, 8]


def test_batches_never_mix_encoders_nor_exceed_their_size(make, gate):
    batcher, one, two = make(batch_size=3), Doubler("one"), Doubler("two")
    occupy(batcher, gate)
    futures = [batcher.submit(encoder, [i]) for i in range(5) for encoder in (one, two)]
    gate.set()
    assert [results(f)[0] for f in futures] == [2 * i for i in range(5) for _ in range(2)]
    assert one.seen == [[0, 1, 2], [3, 4]]
    assert two.seen == [[0, 1, 2], [3, 4]]


def test_only_the_bad_item_fails(make):
    futures = make().submit(Doubler(), [1, -1, 2])
    wait(futures)
    assert (futures[0].result(), futures[2].result()) == (2, 4)
    with pytest.raises(ValueError, match="negative"):
        futures[1].result()


def test_an_encoder_that_loses_rows_fails_its_batch(make):
    encoder = Doubler()
    encoder.encode = lambda items: [1] * (len(items) - 1)
    with pytest.raises((RuntimeError, IndexError)):
        results(make().submit(encoder, [1, 2]))


def test_too_many_waiting_items_are_refused_as_a_whole(make, gate):
    batcher, encoder = make(max_items=4), Doubler()
    occupy(batcher, gate)
    accepted = batcher.submit(encoder, [1, 2, 3])
    with pytest.raises(QueueFull):
        batcher.submit(encoder, [4, 5])
    assert batcher.depth == 3
    gate.set()
    assert results(accepted) == [2, 4, 6]
    assert encoder.seen == [[1, 2, 3]]


def test_waiting_items_are_bounded_in_bytes_too(make, gate):
    batcher = make(max_bytes=50_000, size=lambda item: 30_000)
    occupy(batcher, gate)
    first = batcher.submit(Doubler(), [1])
    with pytest.raises(QueueFull):
        batcher.submit(Doubler(), [2])
    gate.set()
    assert results(first) == [2]


def test_cancelled_items_are_not_encoded_and_free_their_places(make, gate):
    batcher, encoder = make(max_items=2), Doubler()
    occupy(batcher, gate)
    abandoned = batcher.submit(encoder, [1, 2])
    assert all(future.cancel() for future in abandoned)
    kept = batcher.submit(encoder, [3, 4])
    gate.set()
    assert results(kept) == [6, 8]
    assert encoder.seen == [[3, 4]]


def test_a_thread_that_dies_fails_its_batch_and_is_restarted(make, gate):
    batcher, encoder = make(batch_size=2), Doubler()
    occupy(batcher, gate)
    doomed = batcher.submit(encoder, ["deadly", 1])
    others = batcher.submit(encoder, [2, 3])
    gate.set()
    wait(doomed, WAIT_SECONDS)
    for future in doomed:
        with pytest.raises(BatcherStopped):
            future.result(0)
    assert results(others) == [4, 6]
    assert batcher.restarts == 1


def test_the_next_batch_does_not_wait_for_those_who_are_answered(make, gate):
    batcher, encoder = make(), Doubler()
    occupy(batcher, gate)
    (first,) = batcher.submit(encoder, [1])
    slow = threading.Event()
    first.add_done_callback(lambda _: slow.wait(WAIT_SECONDS))
    gate.set()
    wait_for(lambda: encoder.seen)
    (second,) = batcher.submit(encoder, [2])
    wait_for(lambda: encoder.seen == [[1], [2]])
    slow.set()
    assert second.result(WAIT_SECONDS) == 4


def test_stopping_finishes_every_future(make, gate):
    batcher, encoder = make(), Doubler()
    occupy(batcher, gate)
    waiting = batcher.submit(encoder, [1, 2])
    threading.Timer(0.2, gate.set).start()
    batcher.stop()
    for future in waiting:
        with pytest.raises(BatcherStopped):
            future.result(0)
    with pytest.raises(BatcherStopped):
        batcher.submit(encoder, [3])


def test_many_threads_get_their_own_answers(make):
    batcher = make(batch_size=16, max_delay=0.002, max_items=10_000)
    encoders = [Doubler("one"), Doubler("two")]
    wrong = []

    def ask(base):
        for i in range(50):
            numbers = [base + i, base + i + 1]
            with batcher.expecting(encoders[i % 2], 2):
                futures = batcher.submit(encoders[i % 2], numbers)
            if results(futures) != [2 * n for n in numbers]:
                wrong.append(numbers)

    threads = [threading.Thread(target=ask, args=(1000 * n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert batcher.items == 800
    assert batcher.batches < 400
