"""`/v1/me`: who asks, and what of their limits is taken."""

from fastapi import APIRouter, Request

from app.auth.authentication import Authenticator
from app.auth.identity import Identity
from app.caller import Anybody
from app.keys.schemas import MeDocument, UsageDocument, show_me
from store import usage

router = APIRouter(prefix="/v1/me", tags=["keys"])


@router.get("")
def get_me(request: Request, caller: Anybody) -> MeDocument:
    """Return the key that asks, its owner, scopes and limits, and what is taken of those; any scope will do."""
    identity: Identity = request.scope["identity"]
    authenticator: Authenticator = request.app.state.authenticator
    with caller.state.database.read() as session:
        scope = caller.scope(session)
        taken = UsageDocument(
            requests_per_minute=authenticator.requests_in_last_minute(identity),
            stored_bytes=usage.stored_bytes(scope),
            items=usage.items(scope),
            concurrent_jobs=usage.unfinished_jobs(scope),
            queued_jobs=usage.queued_jobs(scope),
            database_bytes=usage.database_bytes(scope),
        )
    return show_me(identity, taken)
