"""Stored predictions brought together with their items, some at a time."""

from collections.abc import Iterator, Sequence

import numpy as np

from app.predicted import queries
from app.predicted.queries import NamedItem
from app.predicted.schemas import PredictedItem, PredictionsQuery
from app.predicted.texts import WholeTexts
from pouf_core.predictions.stored import Booleans, Integers, StoredPredictions
from store.database import Database

AT_ONCE = 1000


class ItemsGone(Exception):
    """The dataset was deleted while its predictions were read."""


class PredictedItems:
    """The predictions that a query asks for.

    Args:
        database: knows the items.
        dataset_id: theirs.
        stored: predictions of n items, in stored order.
        query: which ones, in which order.
        texts: whole texts; None shows their beginnings, if items have any.
    """

    def __init__(
        self,
        database: Database,
        dataset_id: str,
        stored: StoredPredictions,
        query: PredictionsQuery,
        texts: WholeTexts | None = None,
    ) -> None:
        self._database = database
        self._dataset_id = dataset_id
        self._stored = stored
        self._by_margin = query.sort == "margin"
        self._texts = texts
        self._wanted = _wanted(stored, query)

    def __len__(self) -> int:
        """Return how many there are."""
        return int(self._wanted.sum())

    def all(self) -> Iterator[PredictedItem]:
        """Yield all of them.

        Raises:
            ItemsGone: some are not in the database any more.
        """
        count = 0
        for item in self.after(0):
            yield item
            count += 1
        if count != len(self):
            raise ItemsGone(self._dataset_id)

    def after(self, position: int, most: int | None = None) -> Iterator[PredictedItem]:
        """Yield those behind a position in the order that is asked for; `most`: how many will be wanted."""
        for items, places in self._in_order(position, most) if self._by_margin else self._as_listed(position):
            yield from self._shown(items, places, position)
            position += len(items)

    def _as_listed(self, after: int) -> Iterator[tuple[Sequence[NamedItem], Integers]]:
        while True:
            with self._database.read() as session:
                items = queries.next_items(session, self._dataset_id, after, AT_ONCE)
            if not items:
                return
            after = items[-1].id
            places = self._stored.find([item.sha256 for item in items])
            wanted = (places >= 0) & self._wanted[places]
            yield [items[index] for index in np.flatnonzero(wanted).tolist()], places[wanted]

    def _in_order(self, after: int, most: int | None) -> Iterator[tuple[Sequence[NamedItem], Integers]]:
        places = np.flatnonzero(self._wanted)
        order = places[np.argsort(self._stored.margin[places], kind="stable")][after:][:most]
        for start in range(0, len(order), AT_ONCE):
            part = order[start : start + AT_ONCE]
            hashes = self._stored.rows(part).hashes
            with self._database.read() as session:
                named = queries.items_by_content(session, self._dataset_id, hashes)
            yield self._complete([named.get(sha256) for sha256 in hashes]), part

    def _complete(self, items: Sequence[NamedItem | None]) -> list[NamedItem]:
        found = [item for item in items if item is not None]
        if len(found) < len(items):
            raise ItemsGone(self._dataset_id)
        return found

    def _shown(self, items: Sequence[NamedItem], places: Integers, after: int) -> Iterator[PredictedItem]:
        names, chosen = self._stored.header.class_names, self._stored.rows(places)
        records = chosen.records
        columns = zip(
            items,
            records["label"].tolist(),
            chosen.answered.tolist(),
            records["probability"].tolist(),
            records["runner_up"].tolist(),
            records["runner_up_probability"].tolist(),
            chosen.margin.tolist(),
            records["zero_shot_label"].tolist(),
            chosen.changed.tolist(),
            chosen.accepted.tolist(),
            strict=True,
        )
        for number, (item, label, answered, score, second, other, margin, own, changed, accepted) in enumerate(
            columns, start=after + 1
        ):
            text, pair = (item.text, item.text_pair) if self._texts is None else self._texts.of(item.id)
            yield PredictedItem(
                number if self._by_margin else item.id,
                item.name,
                item.sha256,
                text,
                pair,
                names[label] if answered else None,
                score,
                names[second],
                other,
                margin,
                names[own],
                changed,
                "accept" if accepted else "review",
            )


def _wanted(stored: StoredPredictions, query: PredictionsQuery) -> Booleans:
    """Which predictions [n] the query asks for; its label must be one of the classes."""
    wanted = np.ones(len(stored), dtype=np.bool_)
    if query.changed is not None:
        wanted &= stored.changed == query.changed
    if query.below is not None:
        wanted &= stored.records["probability"] < np.float32(query.below)
    if query.label is not None:
        wanted &= stored.records["label"] == stored.header.class_names.index(query.label)
    return wanted
