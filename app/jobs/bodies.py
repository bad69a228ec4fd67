"""The check of a new job's body, apart from the datasets that it names."""

from dataclasses import dataclass
from functools import partial

from app.jobs.schemas import JobCreate
from pouf_core.contract.base_model import BY_MODALITY, DEFAULT_BASE_MODELS, BaseModelDescription
from pouf_core.contract.dataset_items import RequestedModality
from pouf_core.contract.problems import Problems
from pouf_core.contract.request import CheckedRequest
from pouf_core.errors import InvalidInput
from pouf_core.families.registry import describe
from pouf_core.families.vocabulary import check_vocabulary
from store.settings import Settings


@dataclass(frozen=True)
class CheckedBody:
    """What could be made of a body, and everything that is wrong with it.

    Attributes:
        base: None where the base model is unknown, or not chosen yet.
        request: None where anything is wrong, or the base model is not chosen yet.
    """

    base: BaseModelDescription | None
    request: CheckedRequest | None
    problems: list[InvalidInput]


def check_body(body: JobCreate, modality: RequestedModality, settings: Settings) -> CheckedBody:
    """Check what can be told without the datasets themselves.

    Where the base model is still open, none of those that it may become must be forbidden.

    Args:
        body: the job's.
        modality: what its dataset holds, as far as is known.
        settings: name the base models that are allowed.
    """
    problems = Problems()
    is_chosen = body.base_model != BY_MODALITY
    base = problems.attempt(partial(_describe, body, modality)) if is_chosen else None
    request, found = body.examine(base)
    problems.found += found
    may_be = [body.base_model] if base is not None else [] if is_chosen else list(DEFAULT_BASE_MODELS.values())
    for name in may_be:
        if not settings.allows_base_model(name):
            message = f"Base model {name!r} is not allowed here; GET /v1/base-models lists those that are."
            problems.found.append(InvalidInput("base_model_not_allowed", message, field="/base_model"))
    if request is not None and not problems.found:  # so the base model is allowed, and its files may be read
        problems.attempt(partial(check_vocabulary, request))
    return CheckedBody(base, request, problems.found)


def _describe(body: JobCreate, modality: RequestedModality) -> BaseModelDescription:
    base = describe(body.base_model)
    return base.over_embeddings() if modality == "embedding" else base
