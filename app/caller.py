"""Who sent a request, and how routes say which scope they need."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes
from sqlalchemy.orm import Session

from app.auth.identity import Identity, KeyLimits, KeyScope
from app.http.errors import forbidden
from app.http.idempotency_keys import Keys
from app.state import State, StateDep
from store.scope import Scope

# only describes in the API's documentation what the middleware has done by then
_bearer = HTTPBearer(auto_error=False, scheme_name="API key", description="`pouf_…`, made by `pouf keys create`.")


@dataclass(frozen=True)
class Caller:
    """A request's owner and limits together with the state; everything a service needs."""

    state: State
    owner: str
    limits: KeyLimits | None = None

    def scope(self, session: Session) -> Scope:
        """Return `session` as the owner sees it."""
        return Scope(session, self.owner)

    @property
    def keys(self) -> Keys:
        """The owner's idempotency keys."""
        settings = self.state.settings
        return Keys(
            self.state.database,
            self.owner,
            timedelta(hours=settings.idempotency_ttl_hours),
            timedelta(seconds=settings.idempotency_in_flight_seconds),
        )


async def get_caller(
    required: SecurityScopes,
    request: Request,
    state: StateDep,
    _: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Caller:
    """Return who asks; raises 403 ``insufficient_scope``."""
    identity: Identity = request.scope["identity"]
    for scope in required.scopes:
        if not identity.may(scope):
            raise forbidden("insufficient_scope", f"This needs a key with the scope `{scope}`.")
    return Caller(state, identity.owner, identity.limits)


Anybody = Annotated[Caller, Security(get_caller)]
Reader = Annotated[Caller, Security(get_caller, scopes=[KeyScope.READ.value])]
Writer = Annotated[Caller, Security(get_caller, scopes=[KeyScope.WRITE.value])]
Predictor = Annotated[Caller, Security(get_caller, scopes=[KeyScope.PREDICT.value])]
Admin = Annotated[Caller, Security(get_caller, scopes=[KeyScope.ADMIN.value])]
