"""Adapted models and their movable names over HTTP."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile

from pouf_client.connection import Connection
from pouf_client.resources import Model


class Models:
    """`client.models`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, model_id: str) -> Model:
        """One model."""
        return Model.of(self._connection.request("GET", f"/v1/models/{model_id}"))

    def list(self, *, name: str | None = None) -> Iterator[Model]:
        """Models, newest first; `class_names` is empty in lists."""
        return (Model.of(raw) for raw in self._connection.pages("/v1/models", name=name))

    def delete(self, model_id: str) -> None:
        """Delete a model."""
        self._connection.request("DELETE", f"/v1/models/{model_id}")

    def download(self, model_id: str, folder: str | Path) -> Path:
        """Fetch a model's files into `folder`, which is made; returns it. `pouf_core.load` reads it."""
        target = Path(folder)
        with TemporaryFile() as packed:
            with self._connection.stream(f"/v1/models/{model_id}/artifact") as response:
                for chunk in response.iter_bytes():
                    packed.write(chunk)
            target.mkdir(parents=True, exist_ok=True)
            with zipfile.ZipFile(packed) as archive:
                archive.extractall(target)
        return target


class Aliases:
    """`client.aliases`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def set(self, name: str, model_id: str) -> None:
        """Make `name` stand for a model, from now on."""
        self._connection.request("PUT", f"/v1/aliases/{name}", json={"model_id": model_id})
