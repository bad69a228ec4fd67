"""What to say of files among pictures that are none, by their names."""

from __future__ import annotations

from pouf_core.data.file_kinds import OTHER_ARCHIVE_SUFFIXES, PART_SUFFIXES, RAW_SUFFIXES
from pouf_core.data.item_names import ItemName
from pouf_core.data.losses import Lost
from pouf_core.errors import InvalidInput

_UNDECODABLE = "undecodable_image"
_FILMS = (".mov", ".mp4", ".m4v", ".avi", ".mkv", ".webm", ".3gp", ".mpg", ".mpeg", ".wmv")
_OF_PROGRAMS = (
    *(".jp2", ".j2k", ".jpf", ".jpx", ".jxl", ".psd", ".psb", ".svg", ".eps", ".ai", ".xcf", ".clip", ".kra"),
    *(".dcm", ".nii", ".exr", ".hdr", ".tga", ".pcx", ".ico", ".icns", ".wmf", ".emf"),
)
_TABLES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".xml", ".xlsx", ".xls", ".ods")
_OF_ARROW = (".parquet", ".arrow", ".feather")
_DOCUMENTS = (
    *(".txt", ".md", ".rst", ".rtf", ".pdf", ".doc", ".docx", ".pptx", ".htm", ".html", ".css", ".js"),
    *(".yaml", ".yml", ".toml", ".ini", ".cfg", ".log", ".py", ".ipynb", ".m", ".sh", ".sql", ".names", ".data", ".db"),
)
_OF_ARRAYS = (".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".h5", ".hdf5", ".mat", ".npy", ".npz")
_TEXTS_APART = "Texts make a dataset of their own: upload them without pictures, or with the modality `text`."
_SAID: tuple[tuple[tuple[str, ...], str, Lost], ...] = (
    (RAW_SUFFIXES, "It is a camera's raw file, which is not developed here. Export it as JPEG or TIFF.", "item"),
    (_OF_PROGRAMS, "It is a kind of picture that is not read here. Export it as PNG or JPEG.", "item"),
    (_FILMS, "It is a film, not a picture. Send single pictures of it, if these count.", "item"),
    (
        _TABLES,
        "It is no picture, and names no pictures beside labels. Labels are read from a table with a column `file` and "
        "a column `label`, from JSON of COCO and Label Studio, and from XML of Pascal VOC and CVAT. "
        f"{_TEXTS_APART}",
        "item",
    ),
    (
        _OF_ARROW,
        f"It is a table that neither holds pictures nor names them beside labels. {_TEXTS_APART}",
        "item",
    ),
    (
        _OF_ARRAYS,
        "It is a file of arrays, not a picture. Embeddings make a dataset of their own: save them by "
        'numpy.save("features.npy", features), and upload that without pictures.',
        "item",
    ),
    (
        (*OTHER_ARCHIVE_SUFFIXES, *PART_SUFFIXES),
        "It is an archive of a kind that is not read, or one part of one. Unpack it, and send the files or a `.zip`.",
        "rest",
    ),
    (
        _DOCUMENTS,
        f"It is a document, not a picture. {_TEXTS_APART} Save those of a document as `.txt` or `.csv` first.",
        "nothing",
    ),
)


def refuse_raw(name: ItemName) -> None:
    """Raise `InvalidInput` `undecodable_image` for a raw file of a camera, of which only a preview could be read."""
    if name.file_name.lower().endswith(RAW_SUFFIXES):
        raise InvalidInput(_UNDECODABLE, _SAID[0][1])


def said_of(name: ItemName, error: InvalidInput) -> tuple[str, Lost]:
    """What to say of a file that could not be used, and what is lost with it."""
    lowered = name.file_name.lower()
    if error.code == _UNDECODABLE:
        for suffixes, said, lost in _SAID:
            if lowered.endswith(suffixes):
                return said, lost
    return error.message, "item"
