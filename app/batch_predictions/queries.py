"""Queries about batch predictions."""

from collections.abc import Sequence

from store.scope import Filters, Scope, newest_first
from store.tables import BatchPrediction


def list_batches(scope: Scope, filters: Filters, limit: int) -> Sequence[BatchPrediction]:
    """Return the owner's batch predictions, newest first."""
    query = newest_first(scope.select(BatchPrediction), BatchPrediction, filters, limit)
    return scope.session.scalars(query).all()
