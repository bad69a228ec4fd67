"""How routes say which scope they need, and get to know the caller."""

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes

from app.auth.identity import Identity, KeyScope
from app.auth.refusals import forbidden
from app.state import Caller, StateDep

# only describes in the API's documentation what the middleware has done by then
_bearer = HTTPBearer(auto_error=False, scheme_name="API key", description="`pouf_…`, made by `pouf keys create`.")


def get_caller(
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


Reader = Annotated[Caller, Security(get_caller, scopes=[KeyScope.READ.value])]
Writer = Annotated[Caller, Security(get_caller, scopes=[KeyScope.WRITE.value])]
Predictor = Annotated[Caller, Security(get_caller, scopes=[KeyScope.PREDICT.value])]
Admin = Annotated[Caller, Security(get_caller, scopes=[KeyScope.ADMIN.value])]
