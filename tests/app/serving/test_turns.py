import threading
from concurrent.futures import CancelledError
from contextlib import ExitStack

import pytest

from app.http.errors import ApiError
from app.serving.turns import Turns, TurnThreads, Waiting
from tests.waiting import WAIT_SECONDS, wait_for


@pytest.fixture
def turns():
    turns = Turns()
    for entry in ("a1", "a2", "a3", "b1", "c1", "b2"):
        turns.put(entry[0], entry)
    return turns


def test_each_caller_has_one_entry_taken_before_any_has_a_second(turns):
    assert turns.take(10, bool) == ["a1", "b1", "c1", "a2", "b2", "a3"]
    assert len(turns) == 0


def test_the_turn_goes_on_where_it_ended(turns):
    assert turns.take(1, bool) == ["a1"]
    assert turns.first() == "b1"
    assert turns.take(3, bool) == ["b1", "c1", "a2"]
    assert turns.take(3, bool) == ["b2", "a3"]


def test_entries_are_popped_in_the_order_in_which_they_are_taken(turns):
    popped = [turns.pop(turns.next_caller(bool)) for _ in range(len(turns))]
    assert popped == ["a1", "b1", "c1", "a2", "b2", "a3"]
    assert turns.next_caller(bool) is None


def test_entries_that_do_not_fit_keep_their_places(turns):
    assert turns.take(2, lambda entry: entry.endswith("2")) == ["a2", "b2"]
    assert sorted(turns) == ["a1", "a3", "b1", "c1"]
    assert [turns.of(caller) for caller in "abcd"] == [2, 1, 1, 0]


def test_unwanted_entries_are_removed(turns):
    turns.keep(lambda entry: entry[0] != "a")
    assert list(turns) == ["b1", "b2", "c1"]
    assert len(turns) == 3


@pytest.fixture
def threads():
    threads = TurnThreads(1, "test")
    yield threads
    threads.close()


def test_work_of_callers_is_done_in_turn(threads):
    go_on, done = threading.Event(), []
    first = threads.submit("a", lambda: go_on.wait(WAIT_SECONDS))
    wait_for(first.running)
    futures = [threads.submit(entry[0], lambda entry=entry: done.append(entry)) for entry in ("a1", "a2", "a3", "b1")]
    futures[1].cancel()
    go_on.set()
    for future in (futures[0], *futures[2:]):
        future.result(WAIT_SECONDS)
    assert done in (["a1", "b1", "a3"], ["b1", "a1", "a3"])


def test_a_caller_whose_work_takes_long_leaves_a_thread_to_others():
    threads, go_on = TurnThreads(3, "test", most=2), threading.Event()
    slow = [threads.submit("a", lambda: go_on.wait(WAIT_SECONDS)) for _ in range(4)]
    try:
        wait_for(lambda: sum(each.running() for each in slow) == 2)
        assert [threads.submit("b", lambda: 1).result(WAIT_SECONDS) for _ in range(2)] == [1, 1]
        assert sum(each.running() for each in slow) == 2
        go_on.set()
        assert all(each.result(WAIT_SECONDS) for each in slow)
    finally:
        go_on.set()
        threads.close()


def test_what_goes_wrong_is_the_callers_and_the_thread_works_on(threads):
    with pytest.raises(ZeroDivisionError):
        threads.submit("a", lambda: 1 // 0).result(WAIT_SECONDS)
    assert threads.submit("a", lambda: 1).result(WAIT_SECONDS) == 1


def test_closing_cancels_what_was_not_begun(threads):
    go_on = threading.Event()
    begun = threads.submit("a", lambda: go_on.wait(WAIT_SECONDS))
    wait_for(begun.running)
    waiting = threads.submit("a", lambda: 1)
    threads.close()
    go_on.set()
    assert begun.result(WAIT_SECONDS)
    with pytest.raises(CancelledError):
        waiting.result(WAIT_SECONDS)
    with pytest.raises(RuntimeError):
        threads.submit("a", lambda: 1)


def test_one_owner_leaves_the_others_half_of_the_room():
    waiting = Waiting(4, "samples are being read")
    with ExitStack() as held:
        for owner in ("a", "a", "b", "b"):
            held.enter_context(waiting.one(owner))
        for owner, code in (("a", "owner_overloaded"), ("c", "overloaded")):
            with pytest.raises(ApiError) as refused, waiting.one(owner):
                pass
            assert (refused.value.code, "Retry-After" in refused.value.headers) == (code, True)
    with waiting.one("a"):
        pass
