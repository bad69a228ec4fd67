"""What is said of each input, and how it is shown or saved."""

import csv
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Protocol

from cli import CommandError
from cli.exit_codes import ExitCode
from cli.output_file import refuse_unwritable, replaced
from cli.predictions.inputs import Unreadable
from cli.remote.output import note
from cli.terminal import json_text
from pouf_core.data.shown_text import harmless
from pouf_core.data.spreadsheet_cells import cell

FORMATS = (".csv", ".jsonl")
COLUMNS = ("name", "label", "probability", "none_score", "top_k", "error")


@dataclass(frozen=True)
class Answer:
    """One input's classes with their probabilities, best first; `label` is None where it belongs to none of them."""

    name: str
    label: str | None
    probability: float
    none_score: float | None
    top_k: list[tuple[str, float]]


Said = Answer | Unreadable


class Show(Protocol):
    """Takes one answer after another."""

    def __call__(self, said: Said) -> None:
        """Show or write one."""


@contextmanager
def showing(out: Path | None, *, as_json: bool) -> Iterator[Show]:
    """Where answers go: to a file, or to stdout as lines for people or as JSON.

    Raises:
        CommandError: the file cannot be written.
    """
    if out is None or str(out) == "-":
        yield _print_json if as_json else _print
        return
    if out.suffix.lower() not in FORMATS:
        raise CommandError(f"{out}: give a name that ends in {' or '.join(FORMATS)}.", ExitCode.WRONG_USE)
    refuse_unwritable(out)
    with replaced(out) as part, part.open("w", newline="", encoding="utf-8") as file:
        yield _csv_writer(file) if out.suffix.lower() == ".csv" else lambda said: _write_json(said, file)
    note(f"Wrote {out}")


def show_all(answers: Iterable[Said], show: Show) -> ExitCode:
    """Show answers as they come, name what could not be read, and say how it went."""
    good = bad = 0
    for said in answers:
        if isinstance(said, Unreadable):
            bad += 1
            note(f"{said.name}: {said.message} ({said.code})", "yellow")
        else:
            good += 1
        show(said)
    if bad:
        note(f"{bad:,} of {good + bad:,} could not be read; the others are done." if good else "None could be read.")
    return ExitCode.OK if not bad else ExitCode.PARTLY if good else ExitCode.WRONG_USE


def _print(said: Said) -> None:
    if isinstance(said, Answer):
        classes = ", ".join(f"{label} {score:.3f}" for label, score in said.top_k)
        said_in_words = classes if said.label is not None else f"none of these ({classes})"
        sys.stdout.write(harmless(f"{said.name}: {said_in_words}\n"))


def _print_json(said: Said) -> None:
    _write_json(said, sys.stdout)


def _write_json(said: Said, file: IO[str]) -> None:
    if isinstance(said, Unreadable):
        document: dict[str, object] = {"name": said.name, "error": {"code": said.code, "message": said.message}}
    else:
        document = asdict(said) | {"top_k": [{"label": label, "score": score} for label, score in said.top_k]}
    file.write(json_text(document) + "\n")


def _csv_writer(file: IO[str]) -> Show:
    writer = csv.writer(file)
    writer.writerow(COLUMNS)

    def write(said: Said) -> None:
        if isinstance(said, Unreadable):
            writer.writerow((cell(said.name), "", "", "", "", f"{said.message} ({said.code})"))
            return
        classes = "; ".join(f"{label} {score:.6f}" for label, score in said.top_k)
        none_score = "" if said.none_score is None else said.none_score
        writer.writerow((cell(said.name), cell(said.label or ""), said.probability, none_score, cell(classes), ""))

    return write
