"""The attackers, in a process that leaves the cores to the service: real ones have machines of their own."""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import httpx

from tests.hostile_load.attacks import ATTACKS, Attack, Target

Statuses = dict[str, Counter[int | str]]
#: Added to the niceness that the service runs at.
NICENESS = 5
AUTOGROUP = Path("/proc/self/autogroup")


def attack(targets: Sequence[Target], seconds: float, seed: int) -> Statuses:
    """Hurt the service in every way at once, twice each; returns what each kind of attack was answered."""
    _leave_the_cores_to_the_service()
    until = time.monotonic() + seconds
    statuses: Statuses = {name: Counter() for name in ATTACKS}
    threads = []
    for number, (name, each) in enumerate([*ATTACKS.items()] * 2):
        target, chance = targets[number % len(targets)], random.Random(seed + number)
        threads.append(threading.Thread(target=_hurt, args=(each, target, statuses[name], chance, until)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses


def _leave_the_cores_to_the_service() -> None:
    os.nice(NICENESS)
    if AUTOGROUP.exists():
        # Linux gives sessions equal shares of the cores then, and processes shares of their session's
        os.setsid()
        AUTOGROUP.write_text(str(NICENESS))


def _hurt(attack: Attack, target: Target, counts: Counter[int | str], chance: random.Random, until: float) -> None:
    """Attack again and again; a connection that the service closes is an answer too."""
    while time.monotonic() < until:
        try:
            with target.client() as client:
                counts.update(attack(target, client, chance))
        except (httpx.TransportError, OSError) as error:
            counts[type(error).__name__] += 1
        time.sleep(chance.uniform(0, 0.2))
