"""Ingestion of 100,000 lines of text in under a minute and little memory, and prediction at the raw encoder's speed.

    python benchmarks/text_throughput.py --json benchmarks/results/text-throughput.json

Ingestion is the worker's own, on SQLite and a directory, each size in a process of its own. Prediction is
`Predictor.predict` with `minilm`; beside it, in turns over the same texts, a loop that does nothing but tokenise,
encode, pool and normalise.
"""

from __future__ import annotations

import json
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from clipart import environment
from ingesting import ingest
from measuring import in_a_process
from rich.console import Console
from transformers import AutoModel, AutoTokenizer

import pouf_core
from pouf_core.adaptation.features import ENCODE_BATCH
from pouf_core.families.pretrained import minilm_directory
from pouf_core.system.memory import keep_freed_memory

WORDS = "the a box lamp chair works broke after one week of daily use and I would never buy it".split()  # noqa: SIM905
CLASSES = ["a terrible product", "a great product"]
IN_TURN = 500  # texts


def main(
    lines: Annotated[int, typer.Option(help="Lines to ingest; a tenth of them is ingested for comparison.")] = 100_000,
    texts: Annotated[int, typer.Option(help="Texts to predict.")] = 10_000,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
    alone: Annotated[str, typer.Option(hidden=True, help="Suffix: ingest in this process and print the figures.")] = "",
) -> None:
    """Measure both and print them."""
    if alone:
        print(json.dumps(measure_ingestion(lines, alone)))
        return
    sizes = ((lines // 10, ".txt"), (lines, ".txt"), (lines, ".csv"))
    ingestion = [in_a_process(__file__, "--lines", str(count), "--alone", suffix) for count, suffix in sizes]
    prediction = measure_prediction(texts)
    console = Console()
    for row in ingestion:
        console.print(
            f"{row['lines']:,} lines of {row['suffix']}: {row['seconds']:.1f} s, peak {row['peak_mib']:.0f} MiB"
        )
    console.print(f"{texts:,} texts: {prediction['ratio']:.2f} of the raw loop's {prediction['raw_per_second']:.0f}/s")
    if json_file:
        figures = {**environment(), "ingestion": ingestion, "prediction": prediction}
        json_file.write_text(json.dumps(figures, indent=2) + "\n")


def short_texts(count: int) -> list[str]:
    """Different texts of 5 to 20 words, and a number."""
    draw = random.Random(0)
    return [" ".join(draw.choices(WORDS, k=draw.randint(5, 20))) + f" {number}" for number in range(count)]


def measure_ingestion(lines: int, suffix: str) -> dict[str, Any]:
    """Seconds and peak memory of ingesting one file of so many lines: texts, or a table with labels."""

    def write(file: Path) -> None:
        with file.open("w") as opened:
            if suffix == ".csv":
                opened.write("id,text,label\n")
                opened.writelines(
                    f'{number},"{text}, so",{number % 2}\n' for number, text in enumerate(short_texts(lines))
                )
            else:
                opened.writelines(f"{text}\n" for text in short_texts(lines))

    return {"lines": lines, "suffix": suffix, **ingest("text", f"a{suffix}", lines, write)}


def measure_prediction(count: int) -> dict[str, Any]:
    """Texts a second of the predictor and of the raw loop, taken in turns."""
    keep_freed_memory()
    texts = short_texts(count)
    with tempfile.TemporaryDirectory() as folder:
        model = pouf_core.adapt(
            texts[:64], CLASSES, base_model="minilm", method={"type": "zero-shot"}, out=Path(folder) / "model"
        )
        predictor = pouf_core.load(model.path)
    raw = raw_loop()
    runs: dict[str, Callable[[Sequence[str]], Any]] = {"predictor": predictor.predict, "raw": raw}
    seconds = dict.fromkeys(runs, 0.0)
    processor = dict.fromkeys(runs, 0.0)
    for call in runs.values():
        call(texts[:ENCODE_BATCH])
    for number, part in enumerate(parts(texts, IN_TURN)):
        for name in sorted(runs, reverse=number % 2 == 0):
            started, used = time.perf_counter(), time.process_time()
            runs[name](part)
            seconds[name] += time.perf_counter() - started
            processor[name] += time.process_time() - used
    return {
        "texts": count,
        "predictor_per_second": count / seconds["predictor"],
        "raw_per_second": count / seconds["raw"],
        "ratio": seconds["raw"] / seconds["predictor"],
        "processor_ratio": processor["raw"] / processor["predictor"],
        "threads": torch.get_num_threads(),
    }


def parts(texts: Sequence[str], size: int) -> list[Sequence[str]]:
    """The texts, so many at a time."""
    return [texts[start : start + size] for start in range(0, len(texts), size)]


def raw_loop() -> Callable[[Sequence[str]], torch.Tensor]:
    """The encoder by itself: batches of texts of like length, tokenised, encoded, pooled and normalised."""
    directory = minilm_directory()
    tokenizer, encoder = AutoTokenizer.from_pretrained(directory), AutoModel.from_pretrained(directory).eval()

    def encode(texts: Sequence[str]) -> torch.Tensor:
        rows = []
        with torch.inference_mode():
            for part in parts(sorted(texts, key=len), ENCODE_BATCH):
                tokens = tokenizer(part, padding=True, truncation=True, max_length=256, return_tensors="pt")
                states = encoder(**tokens).last_hidden_state
                live = tokens["attention_mask"].unsqueeze(-1)
                rows.append(torch.nn.functional.normalize((states * live).sum(1) / live.sum(1), dim=-1))
        return torch.cat(rows)

    return encode


if __name__ == "__main__":
    typer.run(main)
