"""Which service a command speaks to, and with which key."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from cli import CommandError
from cli.addresses import answer_of, base_url
from cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from pouf_client import Client

LOOK_SECONDS = 60.0
LIVE = {"status": "ok"}

Url = Annotated[
    str | None,
    typer.Option(
        envvar="POUF_URL", help="The service. Default: http://127.0.0.1:8000. Its key comes from POUF_API_KEY."
    ),
]
OperatedUrl = Annotated[
    str | None,
    typer.Option(
        "--url",
        help="A running service, asked with a key of the scope admin. Default: POUF_URL, unless --data-dir, "
        "POUF_DATA_DIR or POUF_DATABASE_URL says what is here.",
        show_default=False,
    ),
]
#: What says that the database is here.
PLACES = ("POUF_DATA_DIR", "POUF_DATABASE_URL")


def operated_url(url: str | None, data_dir: Path | None) -> str | None:
    """The service that does what can be done here, too; None: do it here.

    Raises:
        CommandError: both were named.
    """
    named = named_url(url, data_dir)
    return url if any(os.environ.get(place) for place in PLACES) else named


def named_url(url: str | None, data_dir: Path | None) -> str | None:
    """The service of --url or, unless --data-dir says what is here, of POUF_URL.

    Raises:
        CommandError: both were named.
    """
    if url and data_dir:
        raise CommandError("Give --url for a running service or --data-dir for what is here.", ExitCode.WRONG_USE)
    return url if url or data_dir else os.environ.get("POUF_URL") or None


@contextmanager
def connected(url: str | None) -> "Iterator[Client]":
    """A client of the service at `url`, or at the default address.

    Raises:
        CommandError: that is no address, or no service answers there.
    """
    address = checked_address(url or default_url())
    if reason := why_no_service(address):
        raise CommandError(f"{reason} `pouf up` starts a service; --url or POUF_URL names one.", ExitCode.UNREACHABLE)
    from pouf_client import Client

    with Client(address) as client:
        yield client


def checked_address(url: str) -> str:
    """The address without what may stand around it; no message shows a password.

    Raises:
        CommandError: it is none, or has a user or password, which are not sent.
    """
    address = url.strip().rstrip("/")
    _, at, shown = address.rpartition("@")
    if not _is_address(address):
        raise CommandError(f"{shown!r} is no address: give one such as http://127.0.0.1:8000.", ExitCode.WRONG_USE)
    if at:
        message = "The address has a user or password: leave out what stands before @; POUF_API_KEY has the key."
        raise CommandError(message, ExitCode.WRONG_USE)
    return address


def default_url() -> str:
    """Where `pouf up` listens unless told otherwise."""
    port = os.environ.get("POUF_PORT", "")
    return base_url(os.environ.get("POUF_HOST", "127.0.0.1"), int(port) if port.isdecimal() and int(port) else 8000)


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:  # the port
        return False


def why_no_service(address: str) -> str | None:
    """None where a service of this kind answers, else a sentence with the reason."""
    try:
        _, body = answer_of(f"{address}/health/live", LOOK_SECONDS)
        if json.loads(body) == LIVE:
            return None
    except OSError as error:
        return f"No service answers at {address} ({getattr(error, 'reason', error)})."
    except (ValueError, HTTPException):  # neither JSON nor HTTP
        pass
    return f"What answers at {address} is no POUF service."
