import asyncio
import threading
import time
from dataclasses import dataclass

import pytest

from app.serving.model_cache import ModelCache


@dataclass
class Model:
    name: str
    nbytes: int = 10


class Loader:
    """Loads models by name, slowly if told to, and counts."""

    def __init__(self):
        self.loaded = []
        self.seconds = 0.0
        self.failing = set()

    def __call__(self, name):
        self.loaded.append(name)
        time.sleep(self.seconds)
        if name in self.failing:
            raise OSError(f"{name} is broken")
        return Model(name)


@pytest.fixture
def loader():
    return Loader()


@pytest.fixture
def make(loader):
    caches = []

    def make(budget):
        cache = ModelCache(loader, budget)
        caches.append(cache)
        return cache

    yield make
    for cache in caches:
        cache.close()


async def use(cache, name):
    async with cache.lease(name) as model:
        return model


def test_many_who_ask_at_once_cause_one_load(make, loader):
    loader.seconds = 0.1

    async def ask(cache):
        return await asyncio.gather(*[use(cache, "a") for _ in range(50)])

    models = asyncio.run(ask(make(100)))
    assert loader.loaded == ["a"]
    assert len({id(model) for model in models}) == 1


def test_the_least_recently_used_goes_first(make, loader):
    cache = make(20)

    async def ask():
        for name in ("a", "b", "a", "c", "a", "b"):
            await use(cache, name)

    asyncio.run(ask())
    assert loader.loaded == ["a", "b", "c", "b"]
    assert cache.usage() == {"models": 2, "bytes": 20, "pinned": 0}


def test_models_in_use_stay_even_above_the_budget(make, loader):
    cache = make(10)

    async def ask():
        async with cache.lease("a") as first, cache.lease("b") as second:
            assert cache.usage() == {"models": 2, "bytes": 20, "pinned": 2}
            async with cache.lease("a") as again:
                assert again is first
            assert second.name == "b"

    asyncio.run(ask())
    assert loader.loaded == ["a", "b"]
    assert cache.usage()["bytes"] <= 10


def test_a_failed_load_fails_everyone_who_waited_and_is_tried_again(make, loader):
    cache = make(100)
    loader.failing.add("a")
    loader.seconds = 0.05

    async def ask():
        return await asyncio.gather(*[use(cache, "a") for _ in range(5)], return_exceptions=True)

    errors = asyncio.run(ask())
    assert [str(error) for error in errors] == ["a is broken"] * 5
    loader.failing.clear()
    assert asyncio.run(use(cache, "a")).name == "a"
    assert loader.loaded == ["a", "a"]
    assert cache.usage()["pinned"] == 0


def test_one_who_leaves_while_loading_does_not_disturb_the_others(make, loader):
    cache = make(100)
    loader.seconds = 0.2

    async def ask():
        leaving = asyncio.create_task(use(cache, "a"))
        staying = asyncio.create_task(use(cache, "a"))
        await asyncio.sleep(0.05)
        leaving.cancel()
        return await staying

    assert asyncio.run(ask()).name == "a"
    assert loader.loaded == ["a"]
    assert cache.usage()["pinned"] == 0


def test_a_discarded_model_is_loaded_anew_while_its_users_finish(make, loader):
    cache = make(100)

    async def ask():
        async with cache.lease("a") as old:
            cache.discard("a")
            assert (await use(cache, "a")) is not old
            assert old.name == "a"

    asyncio.run(ask())
    assert loader.loaded == ["a", "a"]
    assert cache.usage() == {"models": 1, "bytes": 10, "pinned": 0}


def test_models_are_discarded_together_or_not_at_all(make, loader):
    cache = make(100)

    async def ask():
        async with cache.lease("a1"):
            await use(cache, "a2")
            await use(cache, "b1")
            assert not cache.discard_unused(lambda model: model.name.startswith("a"))
            assert cache.usage()["models"] == 3
        assert cache.discard_unused(lambda model: model.name.startswith("a"))
        assert cache.usage() == {"models": 1, "bytes": 10, "pinned": 0}

    asyncio.run(ask())


def test_a_model_discarded_while_it_is_loaded_takes_no_part_of_the_budget(make, loader):
    cache = make(100)
    loader.seconds = 0.2

    async def ask():
        asking = asyncio.create_task(use(cache, "a"))
        await asyncio.sleep(0.05)
        cache.discard("a")
        await asking

    asyncio.run(ask())
    assert cache.usage() == {"models": 0, "bytes": 0, "pinned": 0}


def test_event_loops_in_several_threads_share_one_cache(make, loader):
    cache = make(30)
    names = [chr(ord("a") + i % 5) for i in range(200)]
    wrong = []

    def run(offset):
        async def ask():
            for name in names[offset:] + names[:offset]:
                if (await use(cache, name)).name != name:
                    wrong.append(name)

        asyncio.run(ask())

    threads = [threading.Thread(target=run, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert cache.usage()["bytes"] <= 30
    assert cache.usage()["pinned"] == 0
