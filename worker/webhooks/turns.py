"""How many messages of an owner are sent at a time, so that slow receivers of some keep no other owner waiting."""

from __future__ import annotations

import threading
from collections import Counter

#: Half of the threads that send: an owner takes at most half of what the others leave.
MOST_OF_AN_OWNER = 4


class OwnerTurns:
    """Counts what this process sends for each owner.

    A message that comes while so many of its owner are being sent is passed over: the end of one of them wakes a
    worker for what is due.
    """

    def __init__(self, most: int = MOST_OF_AN_OWNER) -> None:
        self._most = most
        self._sending: Counter[str] = Counter()
        self._passed_over: set[str] = set()
        self._lock = threading.Lock()

    def take(self, owner: str) -> bool:
        """Begin to send a message of the owner; whether that is allowed now."""
        with self._lock:
            left = 2 * self._most - (self._sending.total() - self._sending[owner])
            if self._sending[owner] >= max(1, left // 2):
                self._passed_over.add(owner)
                return False
            self._sending[owner] += 1
            return True

    def give_back(self, owner: str) -> bool:
        """End what `take` began; whether messages of the owner were passed over and may be due."""
        with self._lock:
            self._sending[owner] -= 1
            self._sending += Counter()  # forgets who has none any more
            return owner in self._passed_over

    def nothing_is_due(self, owner: str) -> None:
        """Forget that messages of the owner were passed over."""
        with self._lock:
            self._passed_over.discard(owner)
