"""What a key may give to the keys that are made with it: never more than it has, and the first all of it.

Whoever makes keys has the scope ``admin``, and may give every scope.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from app.auth import key_queries
from app.auth.identity import Identity, KeyScope
from app.http.errors import FieldError, invalid, several
from app.keys.schemas import OwnLimits
from app.keys.service import BOOTSTRAP_NAME, NewKey
from store.database import Database
from store.tables import ApiKey


def granted(maker: Identity, wanted: NewKey) -> NewKey:
    """Return the key as it is made: an end and limits that are not stated are those that the maker's key has itself.

    What is stated is compared with what the maker is held to, by its key or by the settings.

    Raises:
        ApiError: 422 ``exceeds_own_key`` where more is stated, ``reserved_name`` for the name of the bootstrap key.
    """
    wrong = []
    if wanted.name == BOOTSTRAP_NAME:
        message = f"The name {BOOTSTRAP_NAME!r} is for the key of POUF_BOOTSTRAP_KEY."
        wrong.append(FieldError("/name", "reserved_name", message))
    key = maker.key
    if key is None:  # there are no keys yet, and whoever is on the machine may do everything
        if wrong:
            raise several(wrong)
        return wanted
    expires_at = wanted.expires_at or key.expires_at
    if _is_later(expires_at, key.expires_at):
        wrong.append(_exceeds("/expires_at", f"It expires itself at {key.expires_at:%Y-%m-%dT%H:%M:%SZ}."))
    wrong += _limits_above(maker, wanted)
    if wrong:
        raise several(wrong)
    return replace(wanted, expires_at=expires_at, limits={**_own_limits(key), **(wanted.limits or {})})


def require_admin_first(database: Database, scopes: Sequence[str]) -> bool:
    """Tell whether it is the first key; raises 422 ``first_key_not_admin`` where it could not make the next."""
    with database.read() as session:
        is_first = not key_queries.any_key(session)
    if is_first and KeyScope.ADMIN not in scopes:
        message = "From the first key on nobody gets in without one: let it have the scope admin."
        raise invalid("first_key_not_admin", message, "/scopes")
    return is_first


def _limits_above(maker: Identity, wanted: NewKey) -> list[FieldError]:
    held_to = {name: getattr(maker.limits, name) for name in wanted.limits or {}}
    above = [name for name, value in (wanted.limits or {}).items() if value > held_to[name]]
    return [_exceeds(f"/limits/{name}", f"Its own limit is {held_to[name]:,}.") for name in above]


def _own_limits(key: ApiKey) -> dict[str, int]:
    stated = {name: getattr(key, name) for name in OwnLimits.model_fields}
    return {name: value for name, value in stated.items() if value is not None}


def _is_later(expires_at: datetime | None, own: datetime | None) -> bool:
    return own is not None and expires_at is not None and expires_at > own


def _exceeds(pointer: str, reason: str) -> FieldError:
    return FieldError(pointer, "exceeds_own_key", f"A key cannot give what it does not have. {reason}")
