"""Adapted models and aliases."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from app.http.query_parameters import ListQuery
from app.http.schemas import Closed, Document, Note
from pouf_core.contract.result import Fallback, Verdict
from store.tables import AdaptedModel, Alias


class ModelListQuery(ListQuery):
    """A page of models."""


class AliasPut(Closed):
    """Where an alias shall point."""

    model_id: Annotated[str, Field(max_length=64)]


class ModelDocument(Document):
    """An adapted model."""

    object: Literal["model"]
    id: str
    name: str | None
    metadata: dict[str, str]
    job_id: str
    base_model: str
    tune: str
    method: dict[str, Any]
    class_names: list[Any]
    prompt_template: list[str]
    label_words: dict[str, list[str]] | None
    size_bytes: int
    fingerprint: str
    evaluation: dict[str, Any] | None
    verdict: Verdict | None
    verdict_reasons: list[Note]
    fallback: Fallback | None
    selected_step: int | None
    aliases: list[str]
    created_at: datetime
    urls: dict[str, str]


class AliasDocument(Document):
    """A movable name."""

    object: Literal["alias"]
    name: str
    model_id: str
    updated_at: datetime
    urls: dict[str, str]


def show_model(model: AdaptedModel, aliases: list[str]) -> ModelDocument:
    """Return the model's document; `aliases` are the names that point at it."""
    url = f"/v1/models/{model.id}"
    return ModelDocument(
        object="model",
        id=model.id,
        name=model.name,
        metadata=model.meta,
        job_id=model.job_id,
        base_model=model.base_model,
        tune=model.tune,
        method=model.method,
        class_names=model.class_names,
        prompt_template=model.prompt_template,
        label_words=model.label_words,
        size_bytes=model.size_bytes,
        fingerprint=model.fingerprint,
        evaluation=model.evaluation,
        verdict=model.verdict,
        verdict_reasons=model.verdict_reasons,
        fallback=model.fallback,
        selected_step=model.selected_step,
        aliases=aliases,
        created_at=model.created_at,
        urls={
            "self": url,
            "job": f"/v1/jobs/{model.job_id}",
            "report": f"/v1/jobs/{model.job_id}/report",
            "predict": f"{url}/predict",
            "artifact": f"{url}/artifact",
        },
    )


def show_alias(alias: Alias) -> AliasDocument:
    """Return the alias's document."""
    return AliasDocument(
        object="alias",
        name=alias.name,
        model_id=alias.model_id,
        updated_at=alias.updated_at,
        urls={"self": f"/v1/aliases/{alias.name}", "model": f"/v1/models/{alias.model_id}"},
    )
