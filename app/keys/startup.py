"""What has to be right about API keys before the service may be reached."""

import logging

from sqlalchemy.exc import IntegrityError

from app.auth import key_queries as repository
from app.auth.authentication import HOW_TO_MAKE_A_KEY
from app.auth.identity import KeyScope
from app.auth.key_text import digest
from app.auth.pepper import PepperMissing, read_pepper
from app.keys.service import BOOTSTRAP_NAME, MalformedKey, NewKey, create
from store.clock import utcnow
from store.database import Database
from store.loopback import is_loopback
from store.settings import Settings

logger = logging.getLogger(__name__)


class UnsafeStart(Exception):
    """The service must not start like this; the message says what to do."""


def prepare_keys(settings: Settings, database: Database) -> None:
    """Make the bootstrap key if there is to be one, then refuse to start where the network would get in without a key.

    Raises:
        UnsafeStart: the bootstrap key is no key; without keys, the address is not a loopback one; or the secret that
            keys were hashed under has gone.
    """
    with database.read() as session:
        keys_exist = repository.any_key(session)
    if keys_exist:
        _require_pepper(settings)
    if settings.bootstrap_key is not None:
        _make_bootstrap_key(settings, database, settings.bootstrap_key.get_secret_value())
    elif not keys_exist and not is_loopback(settings.host):
        raise UnsafeStart(
            f"Without API keys the service listens on loopback only, not on {settings.host!r}. "
            f"Make a key first, with the same data directory and database: {HOW_TO_MAKE_A_KEY}"
        )


def _require_pepper(settings: Settings) -> None:
    try:
        read_pepper(settings.pepper_file)
    except PepperMissing as error:
        raise UnsafeStart(str(error)) from error


def _make_bootstrap_key(settings: Settings, database: Database, text: str) -> None:
    """Make the key unless it is there, and end those that stood in its place before."""
    wanted = NewKey(settings.owner, BOOTSTRAP_NAME, [KeyScope.ADMIN])
    try:
        create(settings, database, wanted, text)
    except MalformedKey as error:
        raise UnsafeStart(f"POUF_BOOTSTRAP_KEY: {error}") from error
    except IntegrityError:
        logger.debug("the bootstrap key is there already")
    current = digest(text, read_pepper(settings.pepper_file))
    with database.write() as session:
        for key in repository.list_keys(session):
            if key.name == BOOTSTRAP_NAME and key.digest != current and key.revoked_at is None:
                key.revoked_at = utcnow()
                logger.info("the bootstrap key %s… was replaced and is revoked", key.prefix)
