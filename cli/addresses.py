"""Ports and URLs of this machine, and whether a ready service answers there."""

import errno
import json
import socket
import urllib.error
import urllib.request
from http.client import HTTPException
from urllib.parse import urlsplit

from store.loopback import is_loopback

LOOPBACK = "127.0.0.1"
TIMEOUT_SECONDS = 30.0
MOST_BYTES = 65_536
HTTP_ERRORS = 400


def free_port(host: str) -> int:
    """A TCP port that nothing listens on at this moment."""
    with socket.create_server((host, 0), family=_family(host)) as server:
        return int(server.getsockname()[1])


def port_is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now.

    Raises:
        OSError: the address is not one of this machine's.
    """
    try:
        with socket.create_server((host, port), family=_family(host)):
            return True
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return False
        raise


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def base_url(host: str, port: int) -> str:
    """The address to call a service that listens on `host`; any-address hosts are called over loopback."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def why_not_ready(url: str) -> str | None:
    """None when `/health/ready` says so, else the reason."""
    try:
        return _why_not_ready(url)
    except (OSError, HTTPException) as error:
        return str(error) or type(error).__name__


def _why_not_ready(url: str) -> str | None:
    status, body = answer_of(f"{url}/health/ready", TIMEOUT_SECONDS)
    return None if status < HTTP_ERRORS else f"status {status}: {_short(body)}"


def answer_of(url: str, seconds: float) -> tuple[int, bytes]:
    """The status of a GET, and the beginning of the body: without a proxy where the address is of this machine.

    Raises:
        OSError, HTTPException, ValueError: no answer came, or none of HTTP.
    """
    handlers = [urllib.request.ProxyHandler({})] if is_loopback(urlsplit(url).hostname or "") else []
    try:
        with urllib.request.build_opener(*handlers).open(url, timeout=seconds) as answer:
            return answer.status, answer.read(MOST_BYTES)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(MOST_BYTES)


def _short(body: bytes) -> str:
    try:
        return json.dumps(json.loads(body))[:500]
    except ValueError:
        return body[:200].decode(errors="replace")
