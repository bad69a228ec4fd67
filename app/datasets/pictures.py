"""Pictures of a dataset, to be shown."""

import re
from typing import NamedTuple

from app.caller import Caller
from app.datasets import queries as repository
from app.datasets import service
from app.http.errors import not_found

_SHA256 = re.compile("[0-9a-f]{64}")


class StoredPicture(NamedTuple):
    """Where a picture lies in the storage, and how many bytes it has."""

    key: str
    size: int


def find_picture(caller: Caller, dataset_id: str, sha256: str) -> StoredPicture:
    """Return where a picture lies; raises 404 ``dataset_not_found`` or ``picture_not_found``."""
    with caller.state.database.read() as session:
        scope = caller.scope(session)
        dataset = service.get(scope, dataset_id)
        wanted = dataset.modality == "image" and _SHA256.fullmatch(sha256) is not None
        item = repository.find_item(scope, dataset_id, sha256) if wanted else None
    if item is None or item.storage_key is None:
        raise not_found("picture", sha256)
    return StoredPicture(item.storage_key, item.size or 0)


def read_picture(caller: Caller, picture: StoredPicture) -> bytes:
    """Return the picture's file; raises 404 ``picture_not_found`` when its dataset has just been deleted."""
    try:
        with caller.state.storage.open(picture.key) as stream:
            return stream.read()
    except FileNotFoundError as error:
        raise not_found("picture", picture.key.rpartition("/")[2]) from error
