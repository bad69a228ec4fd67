"""`/v1/me`: who asks, and what of their limits is taken. `/v1/keys`: keys of all owners, for the scope `admin`."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.orm import Session

from app.auth.authentication import Authenticator
from app.auth.identity import Identity
from app.caller import Admin, Anybody, Caller
from app.http.answers import answers
from app.http.errors import invalid, not_found
from app.http.idempotency import IdempotencyKeyHeader, Replayed, Store, idempotent, respond
from app.http.idempotency_keys import Answer
from app.http.query_parameters import PageQuery
from app.http.schemas import ListDocument
from app.keys import service
from app.keys.grants import granted, require_admin_first
from app.keys.schemas import ApiKeyDocument, CreatedKeyDocument, KeyCreate, MeDocument, UsageDocument, show_key, show_me
from app.keys.service import NewKey, NoSuchKey
from store import usage
from store.tables import ApiKey

router = APIRouter(tags=["keys"])


@router.get("/v1/me")
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


@router.post("/v1/keys", status_code=201, responses=answers(CreatedKeyDocument, 201))
def create_key(
    request: Request, body: KeyCreate, caller: Admin, idempotency_key: IdempotencyKeyHeader = None
) -> Response:
    """Make a key that may at most what this one may; the answer alone holds its `secret`."""
    maker: Identity = request.scope["identity"]
    try:
        with idempotent(caller.keys, idempotency_key, "POST /v1/keys", body.model_dump(mode="json")) as store:
            wanted = granted(maker, _wanted(body, caller))
            require_admin_first(caller.state.database, wanted.scopes)
            key, text = service.create(
                caller.state.settings,
                caller.state.database,
                wanted,
                by=maker.named,
                on_made=lambda session, made: _keep(store, session, made),
            )
    except Replayed as replayed:
        return respond(replayed.answer, replayed=True)
    return respond(_answer(key, text))


@router.get("/v1/keys")
def list_keys(caller: Admin, query: Annotated[PageQuery, Query()]) -> ListDocument[ApiKeyDocument]:
    """List the keys of all owners, newest first, also those that were revoked."""
    return service.list_page(caller.state.database, query)


@router.post("/v1/keys/{key_id}/revoke")
def revoke_key(request: Request, key_id: str, caller: Admin) -> ApiKeyDocument:
    """Revoke a key, named by its id or its beginning, at once and for good; once more changes nothing."""
    maker: Identity = request.scope["identity"]
    try:
        return show_key(service.revoke(caller.state.database, key_id, by=maker.named))
    except NoSuchKey as error:
        raise not_found("key", key_id) from error


def _wanted(body: KeyCreate, caller: Caller) -> NewKey:
    if body.expires_at is not None and body.expires_at <= datetime.now(UTC):
        raise invalid("time_in_the_past", "A key that has expired is of no use: give a later time.", "/expires_at")
    limits = {name: value for name, value in body.limits.model_dump().items() if value is not None}
    scopes = list(dict.fromkeys(body.scopes))
    return NewKey(body.owner or caller.owner, body.name, scopes, body.expires_at, limits)


def _keep(store: Store, session: Session, key: ApiKey) -> None:
    """What a repeated request is answered: a text that was kept could be stolen."""
    store(session, _answer(key, None))


def _answer(key: ApiKey, text: str | None) -> Answer:
    return Answer.of(201, CreatedKeyDocument(**dict(show_key(key)), secret=text))
