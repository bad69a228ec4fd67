"""`pouf datasets`: what has been uploaded."""

from typing import Annotated, Any, Literal

import typer

from cli import options
from cli.exit_codes import ExitCode
from cli.remote.connection import Url, connected
from cli.remote.listing import Limit, Name, Yes, remove, show_list
from cli.remote.output import AsJson, moment, note, print_fields, print_json, print_list, print_table
from cli.remote.progress import push as upload_files
from cli.remote.sources import Modality, Sources, TextColumn, Upload, given, name_rejected

app = typer.Typer(help="Upload, list, show and delete datasets.", no_args_is_help=True)

DatasetId = Annotated[str, typer.Argument(help="As `pouf datasets ls` lists it: ds_…", show_default=False)]
DatasetIds = Annotated[list[str], typer.Argument(help="As `pouf datasets ls` lists them: ds_…", show_default=False)]
COLUMNS = ("id", "name", "status", "modality", "items", "rejected", "labelled", "created")


@app.command()
def push(
    data: Sources,
    name: Annotated[str | None, typer.Option(help="Default: the file's or folder's.")] = None,
    modality: Modality = "auto",
    text_column: TextColumn = None,
    label_column: options.LabelColumn = None,
    labels: options.Labels = "auto",
    encoding: options.Encoding = None,
    delimiter: options.Delimiter = None,
    header: options.Header = None,
    wait: Annotated[bool, typer.Option(help="Return when the files have been read.")] = True,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Upload files as a new dataset."""
    upload = Upload.of(data, modality, name)
    reading = given(
        text_column=text_column,
        label_column=label_column,
        labels=labels,
        encoding=encoding,
        delimiter=delimiter,
        header=header,
    )
    with connected(url) as client:
        dataset = upload_files(client, upload, reading, wait=wait)
        if as_json:
            print_json(dataset.raw)
        else:
            typer.echo(dataset.id)
            if wait:
                from pouf_core.contract.counts import counted

                items = counted(dataset.item_count or 0, "item")
                note(f"{items}, {dataset.rejected_count:,} rejected, {dataset.modality}")
        for warning in dataset.warnings:
            note(f"{warning['message']} ({warning['code']})", "yellow")
        if name_rejected(client, dataset):
            raise typer.Exit(ExitCode.PARTLY)


@app.command()
def ls(
    limit: Limit = 20,
    name: Name = None,
    status: Annotated[
        Literal["uploading", "ingesting", "ready", "failed"] | None, typer.Option(help="Only those in this status.")
    ] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """List datasets."""
    with connected(url) as client:
        show_list(client.datasets.list(name=name, status=status), limit, COLUMNS, _cells, as_json=as_json)


def _cells(raw: dict[str, Any]) -> tuple[object, ...]:
    counts = (raw["item_count"], raw["rejected_count"], raw["labelled_count"])
    return raw["id"], raw["name"], raw["status"], raw["modality"], *counts, moment(raw["created_at"])


@app.command()
def show(
    dataset_id: DatasetId,
    items: Annotated[bool, typer.Option("--items", help="List its items, too.")] = False,
    rejected: Annotated[bool, typer.Option("--rejected", help="List what could not be used, too.")] = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Show one dataset; with --json and a list, the list alone."""
    with connected(url) as client:
        dataset = client.datasets.get(dataset_id)
        if items or rejected:
            found = client.datasets.items(dataset_id, status="rejected" if rejected else None)
            if as_json:
                print_list([dict(item) for item in found])
                return
            rows = [(item["name"], item["status"], item["label"], item["message"] or item["text"]) for item in found]
            print_table(("name", "status", "label", "text or reason"), rows) if rows else note("There is none.")
            return
    if as_json:
        print_json(dataset.raw)
        return
    print_fields(
        {
            "id": dataset.id,
            "name": dataset.name,
            "status": dataset.status,
            "modality": dataset.modality,
            "items": dataset.item_count,
            "duplicates": dataset.duplicate_count,
            "rejected": dataset.rejected_count,
            "labelled": dataset.labelled_count,
            "suggested classes": dataset.suggested_class_names,
            "skipped": dataset.skipped,
            "created": moment(dataset.raw["created_at"]),
            "error": dataset.error and f"{dataset.error['message']} ({dataset.error['code']})",
        }
    )
    for warning in dataset.warnings:
        note(f"{warning['message']} ({warning['code']})", "yellow")


@app.command()
def rm(dataset_ids: DatasetIds, yes: Yes = False, url: Url = None) -> None:
    """Delete datasets; jobs and models made from them stay."""
    with connected(url) as client:
        remove(dataset_ids, "datasets", client.datasets.delete, sure=yes)
