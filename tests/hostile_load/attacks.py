"""One function for each way to hurt the API: it is called again and again, each time with the answer's status noted."""

from __future__ import annotations

import base64
import io
import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
from PIL import Image

MIB = 1024**2


@dataclass(frozen=True)
class Target:
    """Where an attacker stands: with a key, a model and a dataset of its own."""

    url: str
    key: str
    model_id: str
    dataset_id: str

    def client(self) -> httpx.Client:
        """A connection of its own, with the key."""
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.key}"}, timeout=120)


#: Hurts once; returns the statuses that it was answered.
Attack = Callable[[Target, httpx.Client, random.Random], list[int]]


def picture(size: tuple[int, int], mode: str = "1") -> bytes:
    """A PNG of one colour, which is small however many pixels it has."""
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, "PNG")
    return buffer.getvalue()


BOMB = base64.b64encode(picture((3000, 3000))).decode()
LINE = base64.b64encode(picture((65_000, 1))).decode()


def bombs(target: Target, client: httpx.Client, chance: random.Random) -> list[int]:
    """A small request whose pictures have many pixels."""
    inputs = [{"image": chance.choice((BOMB, BOMB, LINE))} for _ in range(12)]
    return [client.post(f"/v1/models/{target.model_id}/predict", json={"inputs": inputs}).status_code]


def junk(target: Target, client: httpx.Client, chance: random.Random) -> list[int]:
    """Large bodies that say nothing: base64, brackets, numbers, whitespace."""
    body = chance.choice(
        (
            b'{"inputs": [{"image": "' + b"A" * (20 * MIB) + b'"}]}',
            b'{"inputs": [{"image": "' + b"A " * (8 * MIB) + b'"}]}',
            b"[" + b"[]," * (2 * MIB) + b"[]]",
            b'{"inputs": [{"embedding": [' + b"1," * (2 * MIB) + b"1]}]}",
            b'{"inputs": [' + b"1," * MIB + b"1]}",
        )
    )
    path = chance.choice((f"/v1/models/{target.model_id}/predict", "/v1/jobs"))
    headers = {"content-type": "application/json"}
    return [client.post(path, content=body, headers=headers).status_code]


def forms(target: Target, client: httpx.Client, chance: random.Random) -> list[int]:
    """A form of a million fields, and metadata of brackets."""
    headers = {"content-type": "application/x-www-form-urlencoded"}
    many = "&".join(f"a{number}=b" for number in range(chance.choice((60, 500_000)))).encode()
    first = client.post("/v1/datasets", content=many, headers=headers)
    second = client.post("/v1/datasets", data={"metadata": "[" * 100_000, "finalize": "false"})
    return [first.status_code, second.status_code]


def slow_bodies(target: Target, client: httpx.Client, chance: random.Random) -> list[int]:
    """A large body that comes in pieces with pauses."""

    def pieces() -> Iterator[bytes]:
        yield b'{"inputs": [{"image": "'
        for _ in range(20):
            yield b"A" * (2 * MIB)
            time.sleep(chance.uniform(0.1, 0.6))

    path = f"/v1/models/{target.model_id}/predict"
    return [client.post(path, content=pieces(), headers={"content-type": "application/json"}).status_code]


def jobs(target: Target, client: httpx.Client, chance: random.Random) -> list[int]:
    """A job with the longest class list, cancelled and deleted, and lists of all."""
    names = [f"{number} {'x' * 80}" for number in range(chance.choice((5_000, 20_000)))]
    made = client.post("/v1/jobs", json={"dataset_id": target.dataset_id, "class_names": names})
    statuses = [made.status_code, client.get("/v1/jobs?limit=100").status_code]
    if made.status_code == 202:
        path = f"/v1/jobs/{made.json()['id']}"
        statuses += [client.post(f"{path}/cancel").status_code]
        if chance.random() < 0.8:
            statuses += [client.delete(path).status_code]
    return statuses


def strangers(target: Target, client: httpx.Client, chance: random.Random) -> list[int]:
    """Requests without a valid key, of invented methods, and for readiness."""
    statuses = []
    with httpx.Client(base_url=target.url, timeout=60) as stranger:
        for _ in range(20):
            method = f"X{chance.randrange(10**9)}"
            statuses.append(stranger.request(method, "/v1/jobs").status_code)
            statuses.append(stranger.get("/health/ready").status_code)
            headers = {"Authorization": f"Bearer pouf_{chance.randrange(16**48):056x}"}
            statuses.append(stranger.get("/v1/jobs", headers=headers).status_code)
    return statuses


def streams(target: Target, client: httpx.Client, chance: random.Random) -> list[int]:
    """Event streams of a paused job, held open for a while."""
    job = client.post("/v1/jobs", json={"dataset_id": target.dataset_id, "class_names": ["a", "b"]})
    if job.status_code != 202:
        return [job.status_code]
    path = f"/v1/jobs/{job.json()['id']}"
    statuses = [client.post(f"{path}/pause").status_code]
    with client.stream("GET", f"{path}/events", headers={"Accept": "text/event-stream"}) as answer:
        statuses.append(answer.status_code)
        time.sleep(chance.uniform(0.5, 2))
    return [*statuses, client.post(f"{path}/cancel").status_code, client.delete(path).status_code]


def half_requests(target: Target, client: httpx.Client, chance: random.Random) -> list[int]:
    """Connections that begin a request and leave in its middle."""
    place = urlsplit(target.url)
    head = f"POST /v1/models/{target.model_id}/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000000\r\n"
    head += f"Authorization: Bearer {target.key}\r\nContent-Type: application/json\r\n\r\n"
    for _ in range(5):
        with socket.create_connection((place.hostname, place.port), 30) as connection:
            connection.sendall(head.encode() + b'{"inputs": ["' + b"A" * chance.randrange(1000, 3 * MIB))
    return []


def tiny_chunks(target: Target, client: httpx.Client, chance: random.Random) -> list[int]:
    """A body of a hundred thousand chunks of a byte each."""
    place = urlsplit(target.url)
    head = "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
    head += f"Authorization: Bearer {target.key}\r\nContent-Type: application/json\r\n\r\n"
    with socket.create_connection((place.hostname, place.port), 120) as connection:
        connection.sendall(head.encode() + b"1\r\n \r\n" * 100_000 + b"0\r\n\r\n")
        return [int(connection.recv(12)[9:])]


def silence(target: Target, client: httpx.Client, chance: random.Random) -> list[int]:
    """More connections than half of what may be open, which say nothing for a while."""
    place = urlsplit(target.url)
    with ExitStack() as opened:
        for _ in range(300):
            opened.enter_context(socket.create_connection((place.hostname, place.port), 30))
        time.sleep(chance.uniform(0.5, 3))
    return []


ATTACKS: dict[str, Attack] = {
    attack.__name__: attack
    for attack in (bombs, junk, forms, slow_bodies, jobs, strangers, streams, half_requests, tiny_chunks, silence)
}
