"""Adapted models and their movable names over HTTP."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile

from client.connection import Transport
from client.pages import every
from client.resources import Model


class Models:
    """`client.models`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self, model_id: str) -> Model:
        """One model."""
        return Model.of(self._transport.json("GET", f"/v1/models/{model_id}"))

    def list(self, *, name: str | None = None) -> Iterator[Model]:
        """Models, newest first."""
        return (Model.of(raw) for raw in every(self._transport, "/v1/models", name=name))

    def delete(self, model_id: str) -> None:
        """Delete a model."""
        self._transport.json("DELETE", f"/v1/models/{model_id}")

    def download(self, model_id: str, folder: str | Path) -> Path:
        """Fetch a model's files into `folder`, which is made; returns it. `pouf_core.load` reads it."""
        target = Path(folder)
        with TemporaryFile() as packed:
            with self._transport.stream(f"/v1/models/{model_id}/artifact") as response:
                for chunk in response.iter_bytes():
                    packed.write(chunk)
            target.mkdir(parents=True, exist_ok=True)
            with zipfile.ZipFile(packed) as archive:
                archive.extractall(target)
        return target


class Aliases:
    """`client.aliases`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def set(self, name: str, model_id: str) -> None:
        """Make `name` stand for a model, from now on."""
        self._transport.json("PUT", f"/v1/aliases/{name}", json={"model_id": model_id})
