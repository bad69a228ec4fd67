"""What requests in flight may hold together."""

from contextlib import ExitStack

import pytest

from app.http.budgets import BYTES, Budget, Budgets, Holding
from app.http.errors import ApiError


@pytest.fixture
def budgets() -> Budgets:
    return Budgets(
        memory=Budget(BYTES, 100), pixels=Budget(BYTES, 100), streams=Budget(BYTES, 1), requests=Budget(BYTES, 4)
    )


def refusal(holding: Holding, nbytes: int) -> tuple[int, str]:
    with pytest.raises(ApiError) as caught:
        holding.take_memory(nbytes)
    if caught.value.status != 413:
        assert int(caught.value.headers["Retry-After"]) > 0
    return caught.value.status, caught.value.code


def test_one_owner_cannot_take_what_others_need(budgets: Budgets) -> None:
    with budgets.holding("mallory", alone=False) as first, budgets.holding("mallory", alone=False) as second:
        first.take_memory(40)
        assert refusal(second, 11) == (429, "owner_overloaded")
        with budgets.holding("alice", alone=False) as honest:
            honest.take_memory(50)


def test_all_owners_together_are_bounded(budgets: Budgets) -> None:
    with budgets.holding("a", alone=False) as a, budgets.holding("b", alone=False) as b:
        a.take_memory(50)
        b.take_memory(45)
        with budgets.holding("c", alone=False) as c:
            assert refusal(c, 6) == (503, "overloaded")
            c.take_memory(5)


def test_a_request_that_could_never_fit_is_told_so(budgets: Budgets) -> None:
    with budgets.holding("a", alone=False) as holding:
        holding.take_memory(30)
        assert refusal(holding, 21) == (413, "request_too_demanding")
    with budgets.holding("a", alone=True) as holding:
        holding.take_memory(100)


def test_what_was_taken_is_given_back_and_then_nothing_more_is_taken(budgets: Budgets) -> None:
    with budgets.holding("a", alone=False) as holding:
        holding.take_memory(50)
        holding.take_pixels(7)
        assert (budgets.memory.taken, budgets.pixels.taken) == (50, 7)
    assert (budgets.memory.taken, budgets.pixels.taken) == (0, 0)
    with pytest.raises(ApiError, match="client"):
        holding.take_memory(1)
    assert budgets.memory.taken == 0


def test_the_peak_is_told_since_it_was_last_asked_for(budgets: Budgets) -> None:
    with budgets.holding("a", alone=False) as a:
        a.take_memory(20)
        with budgets.holding("b", alone=False) as b:
            b.take_memory(30)
        assert [budgets.memory.take_peak(), budgets.memory.take_peak()] == [50, 20]


def test_of_one_everybody_may_have_it(budgets: Budgets) -> None:
    with budgets.holding("a", alone=False) as a, budgets.holding("b", alone=False) as b:
        a.take_stream()
        with pytest.raises(ApiError) as caught:
            b.take_stream()
        assert caught.value.status == 503


def test_one_owner_cannot_keep_all_connections(budgets: Budgets) -> None:
    with ExitStack() as requests:
        for _ in range(2):
            requests.enter_context(budgets.holding("mallory", alone=False)).take_request()
        with budgets.holding("mallory", alone=False) as one_more, pytest.raises(ApiError) as caught:
            one_more.take_request()
        assert (caught.value.status, caught.value.code) == (429, "owner_overloaded")
        with budgets.holding("alice", alone=False) as honest:
            honest.take_request()
