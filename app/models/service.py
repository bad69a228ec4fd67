"""Adapted models and the aliases that point at them."""

import json
from collections.abc import Sequence
from typing import Any

from app.auth import quotas
from app.caller import Caller
from app.http.errors import ApiError, conflict, not_found
from app.http.query_parameters import decode_cursor, page
from app.http.schemas import ListDocument
from app.models import queries as repository
from app.models.schemas import (
    ALIASES_SHOWN,
    AliasDocument,
    AliasListQuery,
    ModelDocument,
    ModelListQuery,
    ModelSummaryDocument,
    show_alias,
    show_model,
    show_model_summary,
)
from app.serving.engine import Servable
from pouf_core.contract.findings import listed
from pouf_core.contract.manifest import MANIFEST
from store.clock import utcnow
from store.reserve import freeing
from store.scope import Scope
from store.storage_keys import exports_key
from store.tables import AdaptedModel, Alias, Job
from store.usage import BYTES_OF_ALIAS

#: In a message.
ALIASES_NAMED = 10


def list_models(caller: Caller, query: ModelListQuery) -> ListDocument[ModelSummaryDocument]:
    """Return a page of models, newest first, without their classes."""
    filters = query.filters(decode_cursor(query.cursor))
    with caller.state.database.read() as session:
        scope = caller.scope(session)
        rows = repository.list_models(scope, filters, query.limit + 1)
        aliases = repository.aliases_of(scope, [row.id for row in rows], ALIASES_SHOWN + 1)
        gone = scope.missing(Job, [row.job_id for row in rows])
        found = {row.id: show_model_summary(row, aliases.get(row.id, []), gone) for row in rows}
    return page(rows, query.limit, lambda row: found[row.id], lambda row: row.id)


def read(caller: Caller, id_or_alias: str) -> ModelDocument:
    """Return the document of the model of that id or alias; raises 404 ``model_not_found``."""
    model = find(caller, id_or_alias)
    with caller.state.database.read() as session:
        return show(caller.scope(session), [model])[0]


def get(scope: Scope, id_or_alias: str, *, lock: bool = False) -> AdaptedModel:
    """Return the model of that id or alias; raises 404 ``model_not_found``."""
    model = repository.find_model(scope, id_or_alias, lock=lock)
    if model is None:
        raise not_found("model", id_or_alias)
    return model


def find(caller: Caller, id_or_alias: str) -> AdaptedModel:
    """Return the model of that id or alias; raises 404 ``model_not_found``."""
    with caller.state.database.read() as session:
        return get(caller.scope(session), id_or_alias)


def manifest_of(caller: Caller, model: AdaptedModel) -> dict[str, Any]:
    """Return the manifest in the model's artifact; raises 500 ``artifact_missing``."""
    try:
        with caller.state.storage.open(f"{model.storage_key}/{MANIFEST}") as stream:
            manifest: dict[str, Any] = json.load(stream)
            return manifest
    except FileNotFoundError as error:
        raise ApiError(500, "artifact_missing", f"The artifact of model {model.id} is not in the storage.") from error


def find_servable(caller: Caller, id_or_alias: str) -> Servable:
    """Return what serving needs of the model of that id or alias; raises 404 ``model_not_found``."""
    with caller.state.database.read() as session:
        found = repository.find_servable(caller.scope(session), id_or_alias)
    if found is None:
        raise not_found("model", id_or_alias)
    return Servable(*found)


def show(scope: Scope, models: Sequence[AdaptedModel]) -> list[ModelDocument]:
    """Return the models' documents."""
    aliases = repository.aliases_of(scope, [model.id for model in models], ALIASES_SHOWN + 1)
    gone = scope.missing(Job, [model.job_id for model in models])
    return [show_model(model, aliases.get(model.id, []), gone) for model in models]


def rename(caller: Caller, id_or_alias: str, name: str | None) -> ModelDocument:
    """Give the model of that id or alias another name, and return its document; raises 404 ``model_not_found``."""
    with caller.state.database.write() as session:
        scope = caller.scope(session)
        model = get(scope, id_or_alias, lock=True)
        model.name = name
        session.flush()
        return show(scope, [model])[0]


def delete(caller: Caller, id_or_alias: str) -> None:
    """Delete the model and its artifact; raises 409 ``model_has_aliases`` while names point at it."""
    with freeing(caller.state.database) as session:
        scope = caller.scope(session)
        model = get(scope, id_or_alias, lock=True)
        names = repository.aliases_of(scope, [model.id], ALIASES_NAMED + 1).get(model.id, [])
        if names:
            others = " and others" if len(names) > ALIASES_NAMED else ""
            named = f"{listed(names[:ALIASES_NAMED])}{others}"
            raise conflict("model_has_aliases", f"Aliases point at this model: {named}. Move or delete them first.")
        model.deleted_at = utcnow()
        storage_key, exports = model.storage_key, exports_key(model.id)
    caller.state.engine.cache.discard(storage_key)
    for key in (storage_key, exports):
        caller.state.storage.discard(key)


def list_aliases(caller: Caller, query: AliasListQuery) -> ListDocument[AliasDocument]:
    """Return a page of aliases by name; raises 404 ``model_not_found``."""
    with caller.state.database.read() as session:
        scope = caller.scope(session)
        model_id = None if query.model_id is None else get(scope, query.model_id).id
        rows = repository.list_aliases(scope, model_id, decode_cursor(query.cursor), query.limit + 1)
    return page(rows, query.limit, show_alias, lambda row: row.name)


def put_alias(caller: Caller, name: str, id_or_alias: str) -> tuple[AliasDocument, bool]:
    """Point the alias at the model, creating it if need be; return its document and whether it is new.

    Raises 404 ``model_not_found``, or 429 ``database_bytes_limit``.
    """
    with caller.state.database.write() as session:
        scope = caller.scope(session)
        scope.lock(f"alias {name}")
        alias = repository.find_alias(scope, name)
        created = alias is None
        if created:
            quotas.require_room_in_database(caller.limits, scope, BYTES_OF_ALIAS)
        model = get(scope, id_or_alias, lock=True)
        if alias is None:
            alias = Alias(owner=caller.owner, name=name, model_id=model.id)
            session.add(alias)
        alias.model_id = model.id
        alias.updated_at = utcnow()
        session.flush()
        return show_alias(alias), created


def delete_alias(caller: Caller, name: str, model_id: str | None = None) -> None:
    """Delete the alias, not the model.

    Args:
        caller: its owner.
        name: of the alias.
        model_id: the model that the alias must point at; None for whichever it is.

    Raises 404 ``alias_not_found``, or 409 ``alias_moved`` where it points at another model.
    """
    with freeing(caller.state.database) as session:
        scope = caller.scope(session)
        scope.lock(f"alias {name}")
        alias = repository.find_alias(scope, name)
        if alias is None:
            raise not_found("alias", name)
        if model_id not in (None, alias.model_id):
            raise conflict("alias_moved", f"{name} points at another model by now. Reload the page.")
        session.delete(alias)
