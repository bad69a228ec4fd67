"""The items that class names are tried on."""

from collections.abc import Sequence

from sqlalchemy import func, select

from store.dataset_items import accepted
from store.scope import Scope
from store.tables import DatasetItem


def spread_items(scope: Scope, dataset_id: str, count: int) -> Sequence[DatasetItem]:
    """Return up to `count` accepted items, spread evenly over the order in which they were found.

    Folders are often classes, so that neighbours are of one class. Each item is found by the index of ids.
    """
    used = accepted(dataset_id)
    first, last = scope.session.execute(select(func.min(DatasetItem.id), func.max(DatasetItem.id)).where(used)).one()
    if first is None:
        return []
    found: dict[int, DatasetItem] = {}
    for number in range(count):
        start = first + number * (last - first) // max(count - 1, 1)
        query = select(DatasetItem).where(used, DatasetItem.id >= start).order_by(DatasetItem.id).limit(1)
        item = scope.session.scalars(query).one()
        found.setdefault(item.id, item)
    return list(found.values())
