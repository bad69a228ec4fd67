"""Adapted models and aliases."""

from collections.abc import Container
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from app.http.query_parameters import ListQuery, PageQuery
from app.http.schemas import DELETED, NAME, RESULT_CONFIG, Closed, Document, show_result, show_summary
from pouf_core.contract.abstention import Threshold, VariantName
from pouf_core.contract.exports import ExportFormat
from pouf_core.contract.result import PartialResult
from store.tables import AdaptedModel, Alias

#: In a document; all of them are under `/v1/aliases`.
ALIASES_SHOWN = 20
REQUEST_FIELDS = {"base_model", "class_names", "prompt_template", "label_words", "threshold"}


class ModelListQuery(ListQuery):
    """A page of models."""


class AliasListQuery(PageQuery):
    """A page of aliases."""

    model_id: Annotated[
        str | None, Field(max_length=64, description="Those that point at this model; an id or an alias.")
    ] = None


class ArtifactQuery(Closed):
    """In which form to answer a model."""

    format: Annotated[
        ExportFormat | None,
        Field(alias="as", description="An export, which needs nothing of this project; by default the own files."),
    ] = None
    variant: Annotated[
        VariantName | None, Field(description="Of an export: the classifier; by default the one that is served.")
    ] = None


class ExportDocument(Document):
    """An export that is being made: ask again for the file."""

    object: Literal["export"]
    model_id: str
    format: ExportFormat
    variant: VariantName
    status: Literal["running"]
    urls: dict[str, str]


class AliasPut(Closed):
    """Where an alias is to point."""

    model_id: Annotated[str, Field(max_length=64, description="Id of an adapted model, or another alias.")]


class ModelPatch(Closed):
    """What of a model may be changed."""

    name: NAME | None


class ModelCommon(Document):
    """What a model's document says beside the result and whatever grows with the classes."""

    object: Literal["model"]
    id: str
    name: str | None
    metadata: dict[str, str]
    job_id: str
    job_deleted: DELETED
    base_model: str
    tune: str
    threshold: Threshold | None
    size_bytes: int
    fingerprint: str
    aliases: Annotated[list[str], Field(description=f"The first {ALIASES_SHOWN} names that point at it.")]
    has_more_aliases: Annotated[bool, Field(description="Whether there are more: `/v1/aliases?model_id=` has all.")]
    created_at: datetime
    urls: dict[str, str]


class ModelFields(ModelCommon):
    """What a model's document says beside the result."""

    class_names: list[Any]
    prompt_template: list[str]
    label_words: dict[str, list[str]] | None


class ModelDocument(PartialResult, ModelFields):
    """An adapted model."""

    model_config = RESULT_CONFIG

    method: dict[str, Any]


class ModelSummaryDocument(PartialResult, ModelCommon):
    """An adapted model in a list: without its classes, their wording and their prior."""

    model_config = RESULT_CONFIG

    class_count: int
    method: dict[str, Any]


class AliasDocument(Document):
    """A movable name."""

    object: Literal["alias"]
    name: str
    model_id: str
    updated_at: datetime
    urls: dict[str, str]


def show_model(model: AdaptedModel, aliases: list[str], gone: Container[str] = ()) -> ModelDocument:
    """Return the model's document.

    Args:
        model: is shown.
        aliases: the first names that point at it, one more than is shown where there are more.
        gone: ids of deleted jobs.
    """
    result = show_result(model.request, model.result)
    return ModelDocument(
        **_common(model, aliases, gone),
        tune=result["method"].get("tune", model.request.method.tune),
        **model.request.model_dump(include=REQUEST_FIELDS) | _audited(model),
        **result,
    )


def show_model_summary(model: AdaptedModel, aliases: list[str], gone: Container[str] = ()) -> ModelSummaryDocument:
    """Return what a list says of the model; arguments as for `show_model`."""
    fields = show_summary(model)
    kept = {name: value for name, value in fields.items() if name in ModelSummaryDocument.model_fields}
    return ModelSummaryDocument(
        **_common(model, aliases, gone), **kept | _audited(model), tune=fields["method"].get("tune")
    )


def _audited(model: AdaptedModel) -> dict[str, float]:
    """Return the threshold that an audit gave the model in place of its own, if one did."""
    return {} if model.audited_threshold is None else {"threshold": model.audited_threshold}


def _common(model: AdaptedModel, aliases: list[str], gone: Container[str]) -> dict[str, Any]:
    url, job = f"/v1/models/{model.id}", f"/v1/jobs/{model.job_id}"
    of_job = {} if model.job_id in gone else {"job": job, "report": f"{job}/report"}
    return {
        "object": "model",
        "id": model.id,
        "name": model.name,
        "metadata": model.meta,
        "job_id": model.job_id,
        "job_deleted": model.job_id in gone,
        "size_bytes": model.size_bytes,
        "fingerprint": model.fingerprint,
        "aliases": aliases[:ALIASES_SHOWN],
        "has_more_aliases": len(aliases) > ALIASES_SHOWN,
        "created_at": model.created_at,
        "urls": {"self": url, **of_job, "predict": f"{url}/predict", "artifact": f"{url}/artifact"},
    }


def show_alias(alias: Alias) -> AliasDocument:
    """Return the alias's document."""
    return AliasDocument(
        object="alias",
        name=alias.name,
        model_id=alias.model_id,
        updated_at=alias.updated_at,
        urls={"self": f"/v1/aliases/{alias.name}", "model": f"/v1/models/{alias.model_id}"},
    )
