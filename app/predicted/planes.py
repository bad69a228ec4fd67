"""The map of the items that predictions are of."""

from typing import Literal

from app.caller import Caller
from app.predicted.service import Predictions, read
from app.predicted.summary import show_items
from app.web.plane import PlaneMap, plane_map
from app.web.predictions import ShownItem


def map_of(caller: Caller, predictions: Predictions) -> PlaneMap | Literal["none", "under_way"]:
    """Return the map, or what `Planes.find` returns in place of it; raises 500 ``predictions_missing``."""
    places = caller.state.planes.find(predictions.storage_key, caller.owner)
    if isinstance(places, str):
        return places
    stored = read(caller, predictions)
    return plane_map(places, stored.records["label"][: len(places)], stored.header.class_names, len(stored))


def item_at(caller: Caller, predictions: Predictions, place: int) -> ShownItem | None:
    """Return an item by its place among the predictions; None where there is none, or it is gone."""
    stored = read(caller, predictions)
    found = show_items(caller, predictions, stored.rows(slice(place, place + 1)))
    return found[0] if found else None
