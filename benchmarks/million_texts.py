"""Memory of ingesting and adapting a million texts, beside that of ten thousand.

    python benchmarks/million_texts.py --json benchmarks/results/million-texts.json

The texts are a few reviews, varied by a number. They are ingested as the worker does it, on SQLite and a directory, and
adapted as a job is, by closed forms, with features kept on disk. The encoder is synthetic, to save time: MiniLM's
tokenizer, random word vectors of MiniLM's width, and their mean. Each size is measured in processes of its own, by the
largest resident memory, which counts pages of mapped files.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer
from clipart import environment
from ingesting import ingest
from measuring import in_a_process, peak_mib
from rich.console import Console

FEW = 10_000
MOST_GROWTH = 500  # MiB
WIDTH = 384
CLASS_NAMES = ["a review that praises", "a review that complains", "a question"]
REVIEWS = (
    "I would buy number {} again, it works as it should",
    "The battery of order {} was empty after an hour",
    "Does model {} come with a cable, or do I need one?",
    "Best {} minutes of film that I have seen this year",
    "They sent part {} twice, and nobody answered my letter",
)


def main(
    texts: Annotated[int, typer.Option(help="Texts.")] = 1_000_000,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
    alone: Annotated[str, typer.Option(hidden=True, help="What is measured in this process.")] = "",
) -> None:
    """Measure both sizes, and print what they take."""
    if alone:
        print(json.dumps({"ingestion": measure_ingestion, "adaptation": measure_adaptation}[alone](texts)))
        return
    rows = {
        what: [in_a_process(__file__, "--texts", str(count), "--alone", what) for count in (FEW, texts)]
        for what in ("ingestion", "adaptation")
    }
    for what, (few, many) in rows.items():
        growth = many["peak_mib"] - few["peak_mib"]
        told = f"{many['seconds']:.0f} s, {many['peak_mib']:.0f} MiB, {growth:.0f} more than with {FEW:,}"
        Console().print(f"{what} of {texts:,}: {told} (at most {MOST_GROWTH})")
    if json_file:
        json_file.write_text(json.dumps({**environment(), "width": WIDTH, "rows": rows}, indent=2) + "\n")


def write_texts(count: int, file: Path) -> None:
    """So many texts, a line each."""
    with file.open("w") as stream:
        for number in range(count):
            stream.write(REVIEWS[number % len(REVIEWS)].format(number) + "\n")


def measure_ingestion(count: int) -> dict[str, Any]:
    """Seconds and peak memory of ingesting one file."""
    return {"texts": count, **ingest("text", "texts.txt", count, lambda file: write_texts(count, file))}


def measure_adaptation(count: int) -> dict[str, Any]:
    """Seconds and memory of one adaptation, and of a second one over the same texts."""
    import pouf_core
    from pouf_core.feature_cache.cache import FeatureCache
    from pouf_core.feature_cache.place import FeaturePlace
    from pouf_core.system.memory import keep_freed_memory

    keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder:
        base, file = save_encoder(Path(folder) / "encoder"), Path(folder) / "texts.txt"
        write_texts(count, file)
        seconds = []
        with PeakPrivateMemory() as private:
            for run in ("first", "second"):
                started = time.monotonic()
                pouf_core.adapt(
                    file,
                    CLASS_NAMES,
                    base_model=f"sentence:{base}",
                    engine="torch",
                    out=Path(folder) / run,
                    feature_cache=FeatureCache(place=FeaturePlace(Path(folder) / "features", max_bytes=2**36)),
                )
                seconds.append(time.monotonic() - started)
    return {
        "texts": count,
        "seconds": seconds[0],
        "second_seconds": seconds[1],
        "peak_mib": peak_mib(),
        "peak_private_mib": private.mib,
    }


class PeakPrivateMemory:
    """The largest memory of this process that no file backs, looked at ten times a second."""

    def __init__(self) -> None:
        self.mib = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> PeakPrivateMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        process = psutil.Process()
        while not self._ended.wait(0.1):
            memory = process.memory_info()
            self.mib = max(self.mib, (memory.rss - getattr(memory, "shared", 0)) / 2**20)


def save_encoder(folder: Path) -> Path:
    """Random word vectors under MiniLM's tokenizer, saved as sentence-transformers saves encoders."""
    import torch
    import transformers

    from pouf_core.families.pretrained import minilm_directory

    shutil.copytree(minilm_directory(), folder, ignore=shutil.ignore_patterns("*.safetensors", "*.bin", "*.onnx"))
    config = transformers.BertConfig.from_pretrained(folder)
    config.num_hidden_layers = 0
    torch.manual_seed(0)
    transformers.BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


if __name__ == "__main__":
    typer.run(main)
