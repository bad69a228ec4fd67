"""How vectors that lie in files of other kinds are told, and become a file of embeddings."""

from __future__ import annotations

from collections.abc import Sequence

#: A row of fewer numbers may be anything.
LEAST_WIDTH = 8
#: Stands for the suffix of a table that has each vector in one cell.
LISTS_IN_CELLS = ".csv of lists"
#: Stands for that of a table as Excel writes one where a comma is before decimals.
DECIMAL_COMMAS = ".csv with decimal commas"
_SKIPPED = "skiprows=1 where the first row has headings, and usecols where other columns stand beside the numbers"
_HEADED = f", with {_SKIPPED}"
_DIVIDED = f', with delimiter="," where commas divide the numbers, {_SKIPPED}'
_LINES = '[json.loads(line)["embedding"] for line in open("vectors{}")]'
_NAMED = ', by the name of the field that holds the numbers, or without ["embedding"] where a line is a list'
_LOADED = {
    ".csv": ('numpy.loadtxt("vectors.csv", delimiter=",")', _HEADED),
    ".tsv": ('numpy.loadtxt("vectors.tsv", delimiter="\\t")', _HEADED),
    ".txt": ('numpy.loadtxt("vectors.txt")', _DIVIDED),
    ".jsonl": (_LINES.format(".jsonl"), _NAMED),
    ".ndjson": (_LINES.format(".ndjson"), _NAMED),
    ".json": ('json.load(open("vectors.json"))', ", or what of it is the list of vectors"),
    DECIMAL_COMMAS: (
        'pandas.read_csv("vectors.csv", sep=";", decimal=",", header=None)',
        ", or header=0 where the first row has headings",
    ),
    LISTS_IN_CELLS: ('[json.loads(row["embedding"]) for row in csv.DictReader(open("vectors.csv"))]', ""),
    ".pt": ('torch.load("vectors.pt").numpy()', ""),
}
"""What loads an array [n, d], by the suffix of the file that it is in, and what to mind."""


def is_vector(value: object) -> bool:
    """Whether a value of JSON is a list of numbers, as many as a vector has."""
    return isinstance(value, list) and len(value) >= LEAST_WIDTH and all(map(_is_number, value))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def are_vectors(cells: Sequence[str]) -> bool:
    """Whether most cells of a column are lists, as JSON and Python write them, as long as a vector."""
    lists = sum(cell.startswith("[") and cell.count(",") + 1 >= LEAST_WIDTH for cell in cells)
    return 2 * lists > len(cells)


def how_to_save(suffix: str) -> str:
    """A sentence that says how to save the vectors of such a file so that they are read; empty where none is known."""
    if suffix not in _LOADED:
        return ""
    loads, mind = _LOADED[suffix]
    return f' Save the vectors as an array: numpy.save("vectors.npy", {loads}){mind}.'
