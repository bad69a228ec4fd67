"""Pictures of a dataset, to be shown."""

import re
from functools import partial
from typing import NamedTuple

from starlette.concurrency import run_in_threadpool

from app.caller import Caller
from app.datasets import queries as repository
from app.datasets import service
from app.http.budgets import Holding
from app.http.errors import ApiError, not_found
from pouf_core.errors import InvalidInput
from store.storage_keys import picture_key

_SHA256 = re.compile("[0-9a-f]{64}")
_NO_PICTURE = ("undecodable_image", "empty_file")  # an archive that was uploaded, or a table of labels


class StoredFile(NamedTuple):
    """Where a file lies in the storage, and how many bytes it has."""

    key: str
    size: int


async def thumbnail(caller: Caller, dataset_id: str, sha256: str, holding: Holding) -> bytes:
    """Return a small copy of a picture as `Thumbnails.make` gives it.

    Raises 404 ``dataset_not_found`` or ``picture_not_found``, or as `Thumbnails.make`.
    """
    file = await run_in_threadpool(find, caller, dataset_id, sha256)
    try:
        return await caller.state.thumbnails.make(file.size, partial(read, caller, file), holding)
    except FileNotFoundError as error:  # the dataset has just been deleted
        raise _unknown(sha256) from error
    except InvalidInput as error:
        if error.code in _NO_PICTURE:
            raise _unknown(sha256) from error
        raise


def find(caller: Caller, dataset_id: str, sha256: str) -> StoredFile:
    """Return where a picture lies; raises 404 ``dataset_not_found`` or ``picture_not_found``.

    By its hash its place is known, without a look at the items.
    """
    with caller.state.database.read() as session:
        scope = caller.scope(session)
        dataset = service.get(scope, dataset_id)
        if dataset.status != "ready" or dataset.modality != "image" or _SHA256.fullmatch(sha256) is None:
            raise _unknown(sha256)
        key = repository.key_of_upload(scope, dataset_id, sha256) or picture_key(dataset_id, sha256)
    try:
        return StoredFile(key, caller.state.storage.size(key))
    except FileNotFoundError as error:
        raise _unknown(sha256) from error


def read(caller: Caller, file: StoredFile) -> bytes:
    """Return a picture's file; raises `FileNotFoundError` once its dataset was deleted."""
    with caller.state.storage.open(file.key) as stream:
        return stream.read()


def _unknown(sha256: str) -> ApiError:
    return not_found("picture", sha256)
