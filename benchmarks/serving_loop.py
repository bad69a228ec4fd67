"""A bare loop over `pouf_core.load(…)`, in a process of its own, for `serving.py`.

`python benchmarks/serving_loop.py MODEL KIND` answers each line `SECONDS` on stdin with a line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from clipart import CLIPART, load_pictures

import pouf_core
from pouf_core.adaptation.features import ENCODE_BATCH
from pouf_core.predictor import Predictor
from pouf_core.system.memory import keep_freed_memory

DECODERS = 2
KINDS = {
    "torch, freed memory given back": "as `pouf_core.load(…).predict` was before there were engines",
    "torch": "the same, and freed memory kept",
    "openvino": "`pouf_core.load(…).predict`, one picture decoded after the other",
    "openvino, decoding in parallel": "two threads decode and preprocess while others are encoded",
}


def main(model: str, kind: str) -> None:
    """Answer until stdin ends."""
    if kind != "torch, freed memory given back":
        keep_freed_memory()
    predictor = pouf_core.load(model, device="cpu", engine="torch" if kind.startswith("torch") else "openvino")
    requests = cycle(batches([path.read_bytes() for path in load_pictures(CLIPART)[0]]))
    run = in_parallel(predictor) if "parallel" in kind else one_after_another(predictor)
    for _ in run(islice(requests, 3)):
        pass
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(measure(run, requests, float(line))), flush=True)


def measure(
    run: Callable[[Iterable[list[bytes]]], Iterator[int]], requests: Iterator[list[bytes]], seconds: float
) -> dict[str, Any]:
    """Pictures a second of the loop, and its processor time for each."""
    started, used, count = time.perf_counter(), time.process_time(), 0

    def until_then() -> Iterator[list[bytes]]:
        while time.perf_counter() < started + seconds:
            yield next(requests)

    for done in run(until_then()):
        count += done
    processor_ms = 1000 * (time.process_time() - used) / count
    return {"per_second": count / (time.perf_counter() - started), "processor_ms": processor_ms}


def batches(pictures: Sequence[bytes]) -> list[list[bytes]]:
    """The pictures, so many at a time as the service encodes."""
    whole = len(pictures) // ENCODE_BATCH * ENCODE_BATCH
    return [list(pictures[start : start + ENCODE_BATCH]) for start in range(0, whole, ENCODE_BATCH)]


def one_after_another(predictor: Predictor) -> Callable[[Iterable[list[bytes]]], Iterator[int]]:
    """Batches through `predict`; counts what is done."""

    def run(requests: Iterable[list[bytes]]) -> Iterator[int]:
        for batch in requests:
            yield len(predictor.predict(batch))

    return run


def in_parallel(predictor: Predictor) -> Callable[[Iterable[list[bytes]]], Iterator[int]]:
    """The same, with the next batch decoded meanwhile."""
    encoder, pool = predictor.encoder(), ThreadPoolExecutor(DECODERS)

    def prepared(picture: bytes) -> Any:
        return encoder.prepare(predictor.decode(picture))

    def run(requests: Iterable[list[bytes]]) -> Iterator[int]:
        waiting = []
        for batch in requests:
            waiting.append([pool.submit(prepared, picture) for picture in batch])
            if len(waiting) > 1:
                yield answer([future.result() for future in waiting.pop(0)])
        for futures in waiting:
            yield answer([future.result() for future in futures])

    def answer(items: list[Any]) -> int:
        return len(predictor.classify(encoder.encode(items)))

    return run


if __name__ == "__main__" and sys.argv[1:]:  # `make bench` runs every file without arguments
    main(str(Path(sys.argv[1])), sys.argv[2])
