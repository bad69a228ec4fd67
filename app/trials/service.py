"""What a base model says of a sample of a dataset without adaptation, by the classes of a job that may be made."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from app.caller import Caller
from app.datasets import pictures
from app.datasets import service as datasets
from app.datasets.schemas import DatasetItemDocument, show_item
from app.http.budgets import Holding, holding_of
from app.http.errors import ApiError, conflict, invalid
from app.jobs.bodies import check_body
from app.jobs.schemas import JobCreate
from app.jobs.service import refuse
from app.predictions.service import answered
from app.serving.inputs import Source
from app.serving.outcomes import ItemError
from app.serving.trials import Guess, SampleSource, Tried
from app.trials import queries as repository
from pouf_core.contract.class_scripts import other_scripts_warnings
from pouf_core.contract.classes import fill
from pouf_core.contract.request import CheckedRequest
from pouf_core.data.texts import TextItem
from pouf_core.errors import InvalidInput

SAMPLE_ITEMS = 24
#: Their prompts are encoded while somebody waits.
MOST_CLASSES = 300


@dataclass(frozen=True)
class TriedItem:
    """An item, and what the base model takes it for: a class and its probability, or why it could not be looked at."""

    item: DatasetItemDocument
    label: str | None
    probability: float | None
    error: str | None


@dataclass(frozen=True)
class Trial:
    """What came of it.

    Attributes:
        items: of the sample.
        prompts: how the base model is asked for the first class.
        near_duplicates: pairs of class names that it can hardly tell apart.
        warnings: what else to know of the class names, in words.
    """

    items: list[TriedItem]
    prompts: list[str]
    near_duplicates: list[tuple[str, str]]
    warnings: list[str]


@dataclass(frozen=True)
class _Asked:
    request: CheckedRequest
    items: list[DatasetItemDocument]
    sample: SampleSource


async def try_classes(request: Request, caller: Caller, body: JobCreate) -> Trial:
    """Return what the base model says of a sample.

    Raises 404 ``dataset_not_found``, 409 ``dataset_not_ready``, 422 with all that is wrong with the body,
    ``trial_not_possible`` or ``too_many_classes_to_try``; or as `answered`.
    """
    holding = holding_of(request)
    asked = await run_in_threadpool(_prepare, caller, body, holding)
    work = caller.state.trials.run(asked.request, asked.sample, holding)
    tried = await answered(request, work, caller.state.settings)
    return _show(asked, tried)


def _prepare(caller: Caller, body: JobCreate, holding: Holding) -> _Asked:
    with caller.state.database.read() as session:
        scope = caller.scope(session)
        dataset = datasets.get(scope, body.dataset_id)
        if dataset.status != "ready":
            raise conflict("dataset_not_ready", f"The dataset is {dataset.status}; it is tried once it is ready.")
        rows = repository.spread_items(scope, dataset.id, SAMPLE_ITEMS)
        items, modality = [show_item(row) for row in rows], dataset.modality
        reading = f"{caller.owner} {dataset.id} {dataset.fence}"  # reading again gives it other items
    if modality == "auto" or modality == "embedding":
        raise invalid("trial_not_possible", "Class names are tried on pictures and texts alone.", "/dataset_id")
    if not items:
        raise invalid("trial_not_possible", "There are no items to try class names on.", "/dataset_id")
    checked = check_body(body.for_modality(modality), modality, caller.state.settings)
    refuse(checked.problems)
    request = checked.request
    if request is None or request.base.takes_label_words:
        raise invalid("trial_not_possible", "Class names are not tried with language models.", "/base_model")
    if len(request.classes) > MOST_CLASSES:
        message = f"At most {MOST_CLASSES} classes are tried here; a job may have more."
        raise invalid("too_many_classes_to_try", message, "/class_names")
    sample = SampleSource(reading, partial(_sources, caller, body.dataset_id, items, holding))
    return _Asked(request, items, sample)


def _sources(caller: Caller, dataset_id: str, items: Sequence[DatasetItemDocument], holding: Holding) -> list[Source]:
    return [_source(caller, dataset_id, item, holding) for item in items]


def _source(caller: Caller, dataset_id: str, item: DatasetItemDocument, holding: Holding) -> Source:
    if item.text is not None:
        return TextItem(item.text, item.text_pair)
    gone = InvalidInput("picture_not_found", "The picture is not there any more.")
    try:
        file = pictures.find(caller, dataset_id, item.sha256 or "")
    except ApiError:
        return gone
    holding.take_memory(file.size)  # before it is read: a request holds all of them
    try:
        return pictures.read(caller, file)
    except FileNotFoundError:
        return gone


def _show(asked: _Asked, tried: Tried) -> Trial:
    names = [one.name for one in asked.request.classes]
    first = asked.request.classes[0].wording
    return Trial(
        items=[_show_item(*each, names) for each in zip(asked.items, tried.outcomes, strict=True)],
        prompts=[fill(template, first) for template in asked.request.wording.templates],
        near_duplicates=tried.near_duplicates,
        warnings=[one.message for one in other_scripts_warnings(asked.request.base, asked.request.classes)],
    )


def _show_item(item: DatasetItemDocument, outcome: Guess | ItemError, names: Sequence[str]) -> TriedItem:
    if isinstance(outcome, ItemError):
        return TriedItem(item, None, None, outcome.message)
    return TriedItem(item, names[outcome.place], outcome.probability, None)
