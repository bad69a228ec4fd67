"""Answers with the predictions of a dataset, whoever made them."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from app.caller import Caller
from app.http.answers import conditional_json
from app.http.budgets import holding_of
from app.http.errors import ApiError, invalid
from app.http.query_parameters import decode_number, page
from app.predicted import queries
from app.predicted.formats import Export, Format, format_of
from app.predicted.rows import ItemsGone, PredictedItems
from app.predicted.schemas import PredictionsQuery, show_prediction
from app.predicted.texts import WholeTexts
from pouf_core.contract.abstention import VariantName
from pouf_core.predictions.stored import Clusters, StoredPredictions, open_clusters, open_predictions
from store.dataset_items import only_key
from store.tables import Dataset


@dataclass(frozen=True)
class AuditedThreshold:
    """A threshold for the probabilities of a variant, as an audit measured it."""

    variant: VariantName
    value: float


@dataclass(frozen=True)
class Predictions:
    """Where the predictions of a dataset are.

    Attributes:
        name: id of what made them, after which files are called.
        storage_key: of their folder.
        dataset_id: whose items they are of.
        model_id: of the model that predicted.
        served: the variant that is served now, where an audit may have changed it; None for the one that predicted.
        audited: of an audit that was confirmed since; it takes the place of what was served and proposed then.
        model_deleted: whether that model was deleted since.
    """

    name: str
    storage_key: str
    dataset_id: str
    model_id: str | None
    served: VariantName | None = None
    audited: AuditedThreshold | None = None
    model_deleted: bool = False


def read(caller: Caller, predictions: Predictions) -> StoredPredictions:
    """Return the stored form; raises 500 ``predictions_missing``.

    It is of the variant that is served now, unless an older version predicted, which kept the one that was served then.
    """
    storage = caller.state.storage
    try:
        stored = open_predictions(storage.local_directory(predictions.storage_key), predictions.served)
    except (FileNotFoundError, ValueError) as error:
        raise _missing(predictions) from error
    audited = predictions.audited
    if audited is None or audited.variant != stored.header.variant:
        return stored
    now = {"threshold": audited.value, "accepted_from": audited.value}
    return replace(stored, header=stored.header.model_copy(update=now))


def clusters_of(caller: Caller, predictions: Predictions, count: int) -> Clusters:
    """Return the clusters [n] of so many items; raises 500 ``predictions_missing``."""
    try:
        return open_clusters(caller.state.storage.local_directory(predictions.storage_key), count)
    except (FileNotFoundError, ValueError) as error:
        raise _missing(predictions) from error


def _missing(predictions: Predictions) -> ApiError:
    message = f"The predictions of {predictions.name} are not in the storage as they were written."
    return ApiError(500, "predictions_missing", message)


def answer(request: Request, caller: Caller, predictions: Predictions, query: PredictionsQuery) -> Response:
    """Return a page, or a file that is sent as it is made; raises 422 ``unknown_class`` or as `format_of`."""
    stored = read(caller, predictions)
    if query.label is not None and query.label not in stored.header.class_names:
        raise invalid("unknown_class", f"There is no class {query.label!r}.", "/query/label")
    if query.format == "json":
        items = PredictedItems(caller.state.database, predictions.dataset_id, stored, query)
        after = decode_number(query.cursor) or 0
        try:
            rows = list(islice(items.after(after, query.limit + 1), query.limit + 1))
        except ItemsGone as error:
            message = f"The dataset of {predictions.name} has just been deleted."
            raise ApiError(404, "predictions_not_found", message) from error
        return conditional_json(request, page(rows, query.limit, show_prediction, lambda item: item.position))
    chosen = format_of(query.format)
    holding_of(request).take_stream()
    headers = {
        "Content-Disposition": f'attachment; filename="{predictions.name}.{chosen.suffix}"',
        "Cache-Control": "private, no-store",
    }
    content = _content(caller, predictions, stored, query, chosen)
    return StreamingResponse(content, media_type=chosen.media_type, headers=headers)


def _content(
    caller: Caller, predictions: Predictions, stored: StoredPredictions, query: PredictionsQuery, chosen: Format
) -> Iterator[bytes]:
    database, storage = caller.state.database, caller.state.storage
    with ExitStack() as opened:
        with database.read() as session:
            dataset = session.get_one(Dataset, predictions.dataset_id)
            is_text = dataset.modality == "text"
            key = only_key(session, dataset.id) if is_text else None
            ids = queries.item_ids(session, dataset.id) if is_text else ()
        texts = None
        if key is not None:
            opened.enter_context(storage.in_use(key))
            texts = opened.enter_context(WholeTexts(storage.local(key), ids))
        modality = dataset.modality
        assert modality != "auto"  # a ready dataset's is known
        export = Export(modality, dataset.text_pairs, predictions.model_id, query.raw)
        items = PredictedItems(database, dataset.id, stored, query, texts)
        yield from chosen.write(items.all(), export)
