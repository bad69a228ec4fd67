"""Queries about adapted models and aliases."""

from collections.abc import Sequence

from sqlalchemy import select, type_coerce, union_all
from sqlalchemy.orm import defer

from store.scope import Filters, Scope, newest_first
from store.tables import AdaptedModel, Alias
from store.tables.base import Json


def list_models(scope: Scope, filters: Filters, limit: int) -> Sequence[AdaptedModel]:
    """Return the owner's models, newest first, for summaries."""
    query = newest_first(scope.select(AdaptedModel), AdaptedModel, filters, limit)
    return scope.session.scalars(query.options(defer(AdaptedModel.request))).all()


def find_model(scope: Scope, id_or_alias: str, *, lock: bool = False) -> AdaptedModel | None:
    """Return the model with that id, else the one that the alias points at, locked as by `Scope.get`."""
    model = scope.get(AdaptedModel, id_or_alias, lock=lock)
    if model is not None:
        return model
    alias = find_alias(scope, id_or_alias)
    return scope.get(AdaptedModel, alias.model_id, lock=lock) if alias else None


Servable = tuple[str, str, str | None, float | None]
"""Id, storage key, fallback and audited threshold of a model."""


def find_servable(scope: Scope, id_or_alias: str) -> Servable | None:
    """Return what serving needs of the model that `find_model` returns, without reading its documents."""
    found = _servable(scope, id_or_alias)
    if found is not None:
        return found
    alias = find_alias(scope, id_or_alias)
    return _servable(scope, alias.model_id) if alias else None


def _servable(scope: Scope, model_id: str) -> Servable | None:
    if not model_id.isascii() or not model_id.isprintable():
        return None
    fallback = type_coerce(AdaptedModel.result, Json)["fallback"].as_string()
    query = scope.select(AdaptedModel).where(AdaptedModel.id == model_id)
    columns = query.with_only_columns(
        AdaptedModel.id, AdaptedModel.storage_key, fallback, AdaptedModel.audited_threshold
    )
    row = scope.session.execute(columns).one_or_none()
    return None if row is None else (row[0], row[1], row[2], row[3])


def find_alias(scope: Scope, name: str) -> Alias | None:
    """Return the owner's alias of that name."""
    if not name.isascii() or not name.isprintable():
        return None
    return scope.session.scalars(scope.select(Alias).where(Alias.name == name)).one_or_none()


def list_aliases(scope: Scope, model_id: str | None, after: str | None, limit: int) -> Sequence[Alias]:
    """Return aliases by name, those of one model or of all, from the name `after` (exclusive)."""
    query = scope.select(Alias)
    if model_id is not None:
        query = query.where(Alias.model_id == model_id)
    if after is not None:
        query = query.where(Alias.name > after)
    return scope.session.scalars(query.order_by(Alias.name).limit(limit)).all()


def aliases_of(scope: Scope, model_ids: Sequence[str], limit: int) -> dict[str, list[str]]:
    """Return the first names that point at each of the models, no more than `limit` of each."""
    names: dict[str, list[str]] = {}
    if not model_ids:
        return names
    aliases = select(Alias.model_id, Alias.name).where(Alias.owner == scope.owner).order_by(Alias.name).limit(limit)
    each = [aliases.where(Alias.model_id == model_id).subquery().select() for model_id in model_ids]
    for model_id, name in scope.session.execute(union_all(*each)):
        names.setdefault(model_id, []).append(name)
    return {model_id: sorted(found) for model_id, found in names.items()}
