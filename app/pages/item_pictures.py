"""Where the pictures of items are."""

from collections.abc import Callable

from app.caller import Caller
from app.datasets import service as datasets
from app.datasets.schemas import DatasetDocument
from app.http.errors import ApiError
from app.web.predictions import ShownItem


def dataset_of(caller: Caller, dataset_id: str) -> DatasetDocument | None:
    """Return the dataset unless it was deleted."""
    try:
        return datasets.read(caller, dataset_id)
    except ApiError:
        return None


def pictures_of(dataset: DatasetDocument | None) -> Callable[[ShownItem], str | None]:
    """Return what gives the address of the picture of one of the dataset's items; of others there is none."""
    if dataset is None or dataset.modality != "image":
        return lambda item: None
    return lambda item: f"/v1/datasets/{dataset.id}/items/{item.sha256}/thumbnail"
