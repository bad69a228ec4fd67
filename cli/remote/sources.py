"""Files and folders on their way to a dataset."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cli import CommandError
from cli.exit_codes import ExitCode
from cli.remote.output import note

if TYPE_CHECKING:
    from pouf_client import Client, Dataset

SHOWN_REJECTED = 5

Sources = Annotated[
    list[Path],
    typer.Argument(
        help="A folder, an archive, a file of texts or embeddings, pictures, or a table of these or their paths.",
        exists=True,
        show_default=False,
    ),
]
Modality = Annotated[
    Literal["auto", "image", "text", "embedding"],
    typer.Option(help="What the files hold; to be said of archives of texts or embeddings."),
]
TextColumn = Annotated[
    str | None, typer.Option(help="The column or field with the text. Default: text, or the only one with texts.")
]


@dataclass(frozen=True)
class Upload:
    """What is sent.

    Attributes:
        source: as `Datasets.create` takes it.
        name: of the dataset.
    """

    source: Path | list[Path]
    name: str
    modality: str

    @classmethod
    def of(cls, paths: Sequence[Path], modality: str = "auto", name: str | None = None) -> "Upload":
        """What files and folders are.

        Raises:
            CommandError: there is no file, a folder beside other files, or two files share a name.
        """
        from pouf_client.files import portable_name

        first = paths[0]
        if len(paths) > 1:
            _check_files(paths)
            return cls(list(paths), name or portable_name(first.resolve().parent.name), modality)
        if not first.is_dir():
            return cls(first, name or portable_name(first.name), modality)
        if not any(path.is_file() and not path.name.startswith(".") for path in first.rglob("*")):
            raise CommandError(f"There is no file in {first}.", ExitCode.WRONG_USE)
        return cls(first, name or portable_name(first.resolve().name), modality_of_folder(first, modality))


def _check_files(paths: Sequence[Path]) -> None:
    if folders := [path for path in paths if path.is_dir()]:
        message = f"{folders[0]} is a folder; give one folder alone, or files alone."
        raise CommandError(message, ExitCode.WRONG_USE)
    names = [path.name for path in paths]
    if len(set(names)) < len(names):
        message = "Two of the files have the same name; put them in one folder and give that."
        raise CommandError(message, ExitCode.WRONG_USE)


def modality_of_folder(folder: Path, modality: str) -> str:
    """What a folder's files hold: it is sent as an archive, whose name does not tell."""
    from pouf_core.contract.dataset_items import modality_of
    from pouf_core.data.source_files import file_names

    if modality != "auto":
        return modality
    found = modality_of("auto", file_names(folder))
    return "auto" if found in (None, "image") else str(found)


def given(**options: Any) -> dict[str, Any]:
    """The options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def name_rejected(client: "Client", dataset: "Dataset") -> bool:
    """Name the first files that could not be read; whether there are any."""
    if not dataset.rejected_count:
        return False
    note(f"{dataset.rejected_count:,} could not be read:", "yellow")
    for item, _ in zip(client.datasets.items(dataset.id, status="rejected"), range(SHOWN_REJECTED), strict=False):
        note(f"  {item['name']}: {item['message']} ({item['code']})", "yellow")
    if dataset.rejected_count > SHOWN_REJECTED:
        note(f"  … `pouf datasets show {dataset.id} --rejected` lists them all", "yellow")
    return True
