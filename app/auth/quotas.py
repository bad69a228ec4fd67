"""The limits of the caller's key on what its owner may have; without keys there are none.

A check made in a transaction that writes holds until its end: the owner is locked, and always before a dataset is.
"""

from app.auth.identity import KeyLimits
from app.auth.key_queries import lock_owner
from app.http.errors import ApiError, too_many
from pouf_core.contract.counts import counted
from store import usage
from store.scope import Scope
from store.tables import OwnerLimits

STORAGE_RETRY_SECONDS = 60
JOBS_RETRY_SECONDS = 10


def require_room_for_files(limits: KeyLimits | None, scope: Scope, added_bytes: int = 0) -> None:
    """Raise 429 ``stored_bytes_limit`` or ``items_limit`` unless the owner may store `added_bytes` and an item more."""
    require_storage(limits, scope, added_bytes)
    if limits is None:
        return
    count = usage.items(scope)
    if count >= limits.items:
        state = f"The datasets hold {count:,} of the {limits.items:,} items that this key allows"
        raise _full("items_limit", state, "datasets")


def require_storage(limits: KeyLimits | None, scope: Scope, added_bytes: int = 0) -> None:
    """Raise 429 ``stored_bytes_limit`` unless the owner may store `added_bytes`, one byte at least, more."""
    if limits is None:
        return
    lock_owner(scope.session, scope.owner)
    used, allowed = usage.stored_bytes(scope), limits.stored_bytes
    if used + max(added_bytes, 1) > allowed:
        state = f"{used:,} of the {allowed:,} bytes that this key allows are taken"
        raise _full("stored_bytes_limit", state, "datasets or models")


def require_room_in_database(limits: KeyLimits | None, scope: Scope, added_bytes: int) -> None:
    """Raise 429 ``database_bytes_limit`` unless the owner's rows may take `added_bytes` more."""
    if limits is None:
        return
    lock_owner(scope.session, scope.owner)
    used, allowed = usage.database_bytes(scope), limits.database_bytes
    if used + added_bytes > allowed:
        state = f"{used:,} of the {allowed:,} bytes of the database that an owner may have are taken"
        raise _full("database_bytes_limit", state, "finished jobs, batch predictions, audits, aliases or webhooks")


def require_room_in_queue(limits: KeyLimits | None, scope: Scope) -> None:
    """Raise 429 ``queued_jobs_limit`` unless the owner may queue one more job."""
    if limits is None:
        return
    lock_owner(scope.session, scope.owner)
    if usage.queued_jobs(scope) >= limits.queued_jobs:
        message = (
            f"This key allows {counted(limits.queued_jobs, 'queued job')} at a time; try again when one has started."
        )
        raise too_many("queued_jobs_limit", message, JOBS_RETRY_SECONDS)


def require_room_for_job(limits: KeyLimits | None, scope: Scope) -> None:
    """Raise 429 ``queued_jobs_limit`` or ``concurrent_jobs_limit`` unless the owner may have one more job."""
    require_room_in_queue(limits, scope)
    if limits is None:
        return
    allowed = limits.concurrent_jobs
    if usage.unfinished_jobs(scope) >= allowed:
        message = f"This key allows {counted(allowed, 'unfinished job')} at a time; try again when one has ended."
        raise too_many("concurrent_jobs_limit", message, JOBS_RETRY_SECONDS)


def left_to_ingestion(limits: KeyLimits | None) -> OwnerLimits | None:
    """Return the limits that ingestion has to hold too, because only it knows what archives unpack to."""
    return None if limits is None else {"items": limits.items, "stored_bytes": limits.stored_bytes}


def _full(code: str, state: str, remedy: str) -> ApiError:
    return too_many(code, f"{state}; delete {remedy} first.", STORAGE_RETRY_SECONDS, retry=False)
