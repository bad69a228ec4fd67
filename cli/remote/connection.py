"""Which service a command speaks to, and with which key."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from cli import CommandError
from cli.addresses import base_url
from cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from pouf_client import Client

LOOK_SECONDS = 10.0

Url = Annotated[
    str | None,
    typer.Option(
        envvar="POUF_URL", help="The service. Default: http://127.0.0.1:8000. Its key comes from POUF_API_KEY."
    ),
]


@contextmanager
def connected(url: str | None) -> "Iterator[Client]":
    """A client of the service at `url`, or at the default address.

    Raises:
        CommandError: no service answers there.
    """
    address = (url or default_url()).rstrip("/")
    if reason := why_no_service(address):
        raise CommandError(f"{reason} `pouf up` starts a service; --url or POUF_URL names one.", ExitCode.UNREACHABLE)
    with client_of(address) as client:
        yield client


def client_of(address: str) -> "Client":
    """A client of a service that answers.

    Raises:
        CommandError: the key cannot be sent.
    """
    from pouf_client import Client

    key = os.environ.get("POUF_API_KEY", "").strip()
    if not (key.isascii() and key.isprintable()):
        raise CommandError("POUF_API_KEY is no API key: one begins with pouf_.", ExitCode.FORBIDDEN)
    return Client(address, key)


def default_url() -> str:
    """Where `pouf up` listens unless told otherwise."""
    port = os.environ.get("POUF_PORT", "")
    return base_url(os.environ.get("POUF_HOST", "127.0.0.1"), int(port) if port.isdecimal() and int(port) else 8000)


def why_no_service(address: str) -> str | None:
    """None where a service of this kind answers, else a sentence with the reason."""
    import httpx

    try:
        answer = httpx.get(f"{address}/health/live", timeout=LOOK_SECONDS)
        if answer.is_success and answer.json() == {"status": "ok"}:
            return None
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError):
        return f"{address!r} is no address: give one such as http://127.0.0.1:8000."
    except httpx.HTTPError as error:
        return f"No service answers at {address} ({error})."
    except ValueError:  # no JSON
        pass
    return f"What answers at {address} is no POUF service."
