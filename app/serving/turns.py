"""Callers take turns: one that asks for much does not make the others wait."""

import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from app.http.budgets import RETRY_SECONDS
from app.http.errors import ApiError, too_many

EntryT = TypeVar("EntryT")
ResultT = TypeVar("ResultT")


class Turns(Generic[EntryT]):
    """Entries of callers: one of each caller in turn, and a caller's own in order of arrival. Not thread-safe."""

    def __init__(self) -> None:
        self._of: OrderedDict[str, deque[EntryT]] = OrderedDict()  # the caller whose turn it is first
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[EntryT]:
        for entries in self._of.values():
            yield from entries

    def of(self, caller: str) -> int:
        """How many entries a caller has."""
        return len(self._of.get(caller, ()))

    def put(self, caller: str, entry: EntryT) -> None:
        """Add an entry behind the caller's others."""
        self._of.setdefault(caller, deque()).append(entry)
        self._count += 1

    def first(self) -> EntryT:
        """The entry whose turn it is; there must be one."""
        return next(iter(self))

    def next_caller(self, may: Callable[[str], bool]) -> str | None:
        """The caller whose turn it is among those who may have one; None where there is none."""
        return next(filter(may, self._of), None)

    def pop(self, caller: str) -> EntryT:
        """Remove and return a caller's first entry; there must be one."""
        entries = self._of[caller]
        entry = entries.popleft()
        self._count -= 1
        if entries:
            self._of.move_to_end(caller)
        else:
            del self._of[caller]
        return entry

    def take(self, most: int, fits: Callable[[EntryT], bool]) -> list[EntryT]:
        """Remove and return up to `most` entries that fit, a caller's after one of every other caller."""
        fitting = {caller: deque(filter(fits, entries)) for caller, entries in self._of.items()}
        turn = deque(caller for caller, entries in fitting.items() if entries)
        taken: dict[int, EntryT] = {}
        while turn and len(taken) < most:
            caller = turn.popleft()
            entry = fitting[caller].popleft()
            taken[id(entry)] = entry
            self._of.move_to_end(caller)
            if fitting[caller]:
                turn.append(caller)
        self.keep(lambda entry: id(entry) not in taken)
        return list(taken.values())

    def keep(self, wanted: Callable[[EntryT], bool]) -> None:
        """Remove the entries that are not wanted."""
        for caller, entries in list(self._of.items()):
            left = deque(filter(wanted, entries))
            self._count -= len(entries) - len(left)
            if left:
                self._of[caller] = left
            else:
                del self._of[caller]


class TurnThreads:
    """Threads that work for callers in turn.

    Args:
        count: how many there are.
        name: what their names begin with.
        most: of them work for one caller at a time; None for all.
    """

    def __init__(self, count: int, name: str, most: int | None = None) -> None:
        self._most = count if most is None else most
        self._working: Counter[str] = Counter()
        self._waiting: Turns[tuple[Future[Any], Callable[[], Any]]] = Turns()
        self._changed = threading.Condition()
        self._closed = False
        for number in range(count):
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True).start()

    def submit(self, caller: str, work: Callable[[], ResultT]) -> "Future[ResultT]":
        """Do the work when it is the caller's turn; cancelling the future takes work out that was not begun.

        Raises:
            RuntimeError: it was closed.
        """
        future: Future[ResultT] = Future()
        with self._changed:
            if self._closed:
                raise RuntimeError("the threads have ended")
            self._waiting.put(caller, (future, work))
            self._changed.notify()
        return future

    def close(self) -> None:
        """Begin nothing more."""
        with self._changed:
            self._closed = True
            waiting, self._waiting = self._waiting, Turns()
            self._changed.notify_all()
        for future, _ in waiting:
            future.cancel()

    def _run(self) -> None:
        while self._work_once():
            pass

    def _work_once(self) -> bool:
        """A call of its own, so that no result is kept until the next."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._next_caller() is not None)
            caller = self._next_caller()
            if self._closed or caller is None:
                return False
            future, work = self._waiting.pop(caller)
            self._working[caller] += 1
        try:
            _fulfil(future, work)
        finally:
            with self._changed:
                self._working[caller] -= 1
                self._working += Counter()  # forgets who has none any more
        return True

    def _next_caller(self) -> str | None:
        return self._waiting.next_caller(lambda caller: self._working[caller] < self._most)


def _fulfil(future: "Future[ResultT]", work: Callable[[], ResultT]) -> None:
    if future.set_running_or_notify_cancel():
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is the caller's
            future.set_exception(error)


def require_turn(waiting: Counter[str], owner: str, most: int, what: str, retry_seconds: int = RETRY_SECONDS) -> None:
    """Raise 429 ``owner_overloaded`` where half of `most` are the owner's, or 503 ``overloaded`` where so many wait.

    Args:
        waiting: how many of each owner.
        owner: whose the next one is.
        most: that may wait.
        what: goes on, as a refusal says it.
        retry_seconds: after which to try again.
    """
    if waiting[owner] >= most // 2:
        raise too_many("owner_overloaded", f"Too many of your {what}; try again shortly.", retry_seconds)
    if waiting.total() >= most:
        headers = {"Retry-After": str(retry_seconds), "x-should-retry": "true"}
        raise ApiError(503, "overloaded", f"Too many {what}; try again shortly.", headers=headers)


class Waiting:
    """Counts requests that wait for such threads; used on the event loop alone.

    Args:
        most: that may wait, of one owner half of them.
        what: goes on, as a refusal says it.
    """

    def __init__(self, most: int, what: str) -> None:
        self._most = most
        self._what = what
        self._counts: Counter[str] = Counter()

    @contextmanager
    def one(self, owner: str) -> Iterator[None]:
        """Count a request of the owner while the block runs.

        Raises 429 ``owner_overloaded`` where too many of the owner's wait, or 503 ``overloaded`` where too many do.
        """
        require_turn(self._counts, owner, self._most, self._what)
        self._counts[owner] += 1
        try:
            yield
        finally:
            self._counts[owner] -= 1
            self._counts += Counter()  # forgets who has none any more
