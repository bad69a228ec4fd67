"""`/v1/prune`: what is too old goes now, for whoever has the scope `admin`."""

import logging
import threading

from fastapi import APIRouter, Request

from app.auth.identity import Identity
from app.caller import Admin
from app.http.errors import conflict
from app.maintenance.schemas import PrunedDocument, PruneRequest
from app.state import State
from store.clock import utcnow
from store.retention import prune

logger = logging.getLogger(__name__)
router = APIRouter(prefix="/v1/prune", tags=["maintenance"])
#: Held while one walks through the whole storage.
_pruning = threading.Lock()


@router.post("")
def prune_old(request: Request, body: PruneRequest, caller: Admin) -> PrunedDocument:
    """Remove what is older than the settings `POUF_KEEP_…` say, of all owners, or count it; one at a time."""
    counts = _prune_alone(caller.state, remove=not body.dry_run)
    if not body.dry_run:
        identity: Identity = request.scope["identity"]
        logger.info("what is too old was removed for %s: %s", identity.named, counts)
    return PrunedDocument(
        object="pruned",
        dry_run=body.dry_run,
        counts={what.replace(" ", "_").replace("-", "_"): count for what, count in counts.items()},
    )


def _prune_alone(state: State, *, remove: bool) -> dict[str, int]:
    if not _pruning.acquire(blocking=False):
        raise conflict("prune_in_progress", "What is too old is being removed or counted already: wait for its end.")
    try:
        return prune(state.database, state.storage, state.settings, utcnow(), remove=remove)
    finally:
        _pruning.release()
