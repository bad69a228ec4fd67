"""Asking a service whether it is ready."""

import json
import urllib.error
import urllib.request

TIMEOUT_SECONDS = 30.0


def base_url(host: str, port: int) -> str:
    """The address to call a service that listens on `host`; any-address hosts are called over loopback."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def why_not_ready(url: str) -> str | None:
    """None when `/health/ready` says so, else the reason."""
    try:
        with urllib.request.urlopen(f"{url}/health/ready", timeout=TIMEOUT_SECONDS):
            return None
    except urllib.error.HTTPError as error:
        return f"status {error.code}: {_short(error.read())}"
    except OSError as error:
        return str(error)


def _short(body: bytes) -> str:
    try:
        return json.dumps(json.loads(body))[:500]
    except ValueError:
        return body[:200].decode(errors="replace")
