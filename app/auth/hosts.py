"""Which names this service may be called by, and which sites' pages may call it, while no key is needed.

A page of another site reaches a service on its visitor's own machine: by a name of its own that leads to 127.0.0.1
(DNS rebinding), or by a form that it sends there. Browsers tell both, by ``Host`` and ``Origin``.
"""

from collections.abc import Collection
from urllib.parse import urlsplit

from app.http.errors import ApiError, forbidden
from store.loopback import is_loopback

SETTING = "POUF_ALLOWED_HOSTS"


def check_host_and_origin(host: str | None, origin: str | None, allowed: Collection[str]) -> None:
    """Refuse names that are neither loopback nor `allowed`; what is absent is fine.

    Raises:
        ApiError: 421 ``host_not_allowed`` or 403 ``origin_not_allowed``.
    """
    if host and not _is_allowed(_name(f"//{host}"), allowed):
        message = f"Without API keys this service answers to localhost and to the names in {SETTING} only."
        raise ApiError(421, "host_not_allowed", message)
    if origin and not _is_allowed(_name(origin), allowed):
        message = f"Without API keys only pages of localhost and of the names in {SETTING} may call this service."
        raise forbidden("origin_not_allowed", message)


def _name(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _is_allowed(name: str | None, allowed: Collection[str]) -> bool:
    if name is None:
        return False
    name = name.removesuffix(".").lower()
    return is_loopback(name) or name.endswith(".localhost") or name in allowed
