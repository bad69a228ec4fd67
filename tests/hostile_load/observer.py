"""What callers see meanwhile, from a process of its own, so that the attackers do not slow the clock down."""

from __future__ import annotations

import http.client
import io
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from PIL import Image

BOUNDARY = "a-boundary"


@dataclass
class Seen:
    """Seconds that answers of `/health/live` took, and those of an honest caller; what the latter was refused with."""

    live: list[float] = field(default_factory=list)
    honest: list[float] = field(default_factory=list)
    refused: Counter[int] = field(default_factory=Counter)


def observe(url: str, key: str, model_id: str, seconds: float) -> Seen:
    """Ask for `/health/live` ten times a second, and for a prediction twice a second."""
    seen = Seen()
    until = time.monotonic() + seconds
    threads = [
        threading.Thread(target=_live, args=(url, until, seen)),
        threading.Thread(target=_predict, args=(url, key, model_id, until, seen)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seen


def predict(url: str, key: str, model_id: str) -> int:
    """Ask for one picture; returns the status."""
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(buffer, "PNG")
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'.encode()
    body = head + buffer.getvalue() + f"\r\n--{BOUNDARY}--\r\n".encode()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    return _ask(url, "POST", f"/v1/models/{model_id}/predict", body, headers)


def _live(url: str, until: float, seen: Seen) -> None:
    while time.monotonic() < until:
        started = time.monotonic()
        if _ask(url, "GET", "/health/live") == 200:
            seen.live.append(time.monotonic() - started)
        time.sleep(0.1)


def _predict(url: str, key: str, model_id: str, until: float, seen: Seen) -> None:
    while time.monotonic() < until:
        started = time.monotonic()
        status = predict(url, key, model_id)
        if status == 200:
            seen.honest.append(time.monotonic() - started)
        else:
            seen.refused[status] += 1
        time.sleep(0.5)


def _ask(url: str, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> int:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=120)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()
