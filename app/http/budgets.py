"""What requests in flight may hold together. What does not fit is refused at once, before memory is used."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from starlette.requests import Request

from app.http.errors import ApiError, client_left, too_many
from store.settings import Settings

RETRY_SECONDS = 1
#: What one owner may take of a budget that several owners share.
OWNER_SHARE = 0.5


@dataclass(frozen=True)
class Kind:
    """What a budget counts, as refusals call it, and the code for one request that could never fit."""

    what: str
    too_large_code: str
    advice: str


BYTES = Kind("bytes of memory", "request_too_demanding", "Send fewer or smaller inputs a request.")
REQUESTS = Kind("connections", "too_many_connections", "")
STREAMS = Kind("event streams", "too_many_streams", "")
PIXELS = Kind("pixels", "too_many_pixels", "Send fewer pictures a request, or smaller ones.")


class Budget:
    """An amount of which requests take and give back; safe to use from several threads."""

    def __init__(self, kind: Kind, total: int) -> None:
        self.total = total
        self._kind = kind
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()
        self._peak = 0

    @property
    def taken(self) -> int:
        """How much is taken now."""
        with self._lock:
            return self._taken.total()

    def take(self, owner: str, amount: int, held: int, most: int) -> None:
        """Take `amount` for a request of `owner` that holds `held` already; `most`: what one owner may hold.

        Raises:
            ApiError: 413 for a request that exceeds `most` alone, 429 ``owner_overloaded`` when the owner's requests
                hold too much, 503 ``overloaded`` when all do.
        """
        with self._lock:
            if held + amount > most:
                raise self._too_large(held + amount, most)
            if self._taken[owner] + amount > most:
                message = f"Your requests in flight hold all the {self._kind.what} that one owner may; try again."
                raise too_many("owner_overloaded", message, RETRY_SECONDS)
            if self._taken.total() + amount > self.total:
                headers = {"Retry-After": str(RETRY_SECONDS), "x-should-retry": "true"}
                raise ApiError(503, "overloaded", "Too much is being worked on; try again shortly.", headers=headers)
            self._taken[owner] += amount
            self._peak = max(self._peak, self._taken.total())

    def take_peak(self) -> int:
        """Return the most that was taken at a time since this was last asked."""
        with self._lock:
            peak, self._peak = self._peak, self._taken.total()
        return peak

    def give_back(self, owner: str, amount: int) -> None:
        """Give back what was taken."""
        with self._lock:
            self._taken[owner] -= amount
            if self._taken[owner] <= 0:
                del self._taken[owner]

    def _too_large(self, wanted: int, most: int) -> ApiError:
        detail = f"This request needs {wanted:,} {self._kind.what}, and {most:,} are allowed. {self._kind.advice}"
        return ApiError(413, self._kind.too_large_code, detail)


@dataclass(frozen=True)
class Budgets:
    """The budgets of an API process."""

    memory: Budget
    pixels: Budget
    streams: Budget
    requests: Budget

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the budgets that the settings allow."""
        return cls(
            memory=Budget(BYTES, settings.request_memory_bytes),
            pixels=Budget(PIXELS, settings.predict_pixels),
            streams=Budget(STREAMS, settings.connections // 2 + 1),
            requests=Budget(REQUESTS, settings.connections),
        )

    @contextmanager
    def holding(self, owner: str, *, alone: bool) -> Iterator["Holding"]:
        """Yield what a request of `owner` holds, and give it back in the end; `alone`: there are no other owners."""
        holding = Holding(self, owner, 1.0 if alone else OWNER_SHARE)
        try:
            yield holding
        finally:
            holding.close()


class Holding:
    """What one request holds."""

    def __init__(self, budgets: Budgets, owner: str, share: float) -> None:
        self._budgets = budgets
        self._owner = owner
        self._share = share
        self._held: Counter[Budget] = Counter()
        self._lock = threading.Lock()
        self._closed = False

    @property
    def owner(self) -> str:
        """Whose request it is."""
        return self._owner

    def take_memory(self, nbytes: int) -> None:
        """Take `nbytes`; raises as `Budget.take`."""
        self._take(self._budgets.memory, nbytes)

    def take_pixels(self, pixels: int) -> None:
        """Take `pixels` that are to be decoded; raises as `Budget.take`."""
        self._take(self._budgets.pixels, pixels)

    def take_request(self) -> None:
        """Take one of the connections, which a slow answer or one that is waited for keeps; raises as `Budget.take`."""
        self._take(self._budgets.requests, 1)

    def take_stream(self) -> None:
        """Take one of the streams of events that may be open, which are half of all connections."""
        self._take(self._budgets.streams, 1)

    def close(self) -> None:
        """Give everything back; a thread that the request left behind takes nothing any more."""
        with self._lock:
            self._closed = True
            for budget, amount in self._held.items():
                budget.give_back(self._owner, amount)

    def _take(self, budget: Budget, amount: int) -> None:
        with self._lock:
            if self._closed:
                raise client_left()
            budget.take(self._owner, amount, self._held[budget], max(1, int(budget.total * self._share)))
            self._held[budget] += amount


def holding_of(request: Request) -> Holding:
    """Return what `request` holds; only requests with an identity do."""
    holding: Holding = request.scope["holding"]
    return holding
