"""The floor of free disk space: below it nothing new is taken on; reading, predicting and deleting go on."""

from app.http.errors import ApiError
from app.state import State
from store import disk


def require_space(state: State) -> None:
    """Raise 507 ``storage_full`` while less is free than has to stay free."""
    lack = disk.shortage(state.settings, state.storage)
    if lack is not None:
        raise ApiError(
            507,
            "storage_full",
            f"{lack}: nothing new is taken on. Delete datasets or models, or ask whoever runs the service to make room "
            "or to lower POUF_MIN_FREE_BYTES.",
        )
