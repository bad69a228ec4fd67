"""Adapted models and their movable names over HTTP."""

from __future__ import annotations

import shutil
import zipfile
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryFile

from pouf_client.blocking import Blocking, blocking, blocking_iterator
from pouf_client.connection import Connection, checked_id, path_to
from pouf_client.errors import DamagedDownload, InvalidInput
from pouf_client.resources import Model
from pouf_client.results import stated


class AsyncModels:
    """`client.models` of an `AsyncClient`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, model_id: str) -> Model:
        """One model."""
        return Model.of(await self._connection.request("GET", path_to("models", model_id)))

    def list(self, *, name: str | None = None) -> AsyncIterator[Model]:
        """Models, newest first; `class_names` is empty in lists."""
        return (Model.of(raw) async for raw in self._connection.pages(path_to("models"), name=name))

    async def rename(self, model_id: str, name: str | None) -> Model:
        """Give a model another name in lists; None: none."""
        return Model.of(await self._connection.request("PATCH", path_to("models", model_id), json={"name": name}))

    async def delete(self, model_id: str) -> None:
        """Delete a model."""
        await self._connection.request("DELETE", path_to("models", model_id))

    async def download(self, model_id: str, folder: str | Path) -> Path:
        """Fetch a model's files into `folder`, which is made; returns it. `pouf_core.load` reads it."""
        return await self.pull(model_id, folder)

    async def pull(
        self, model_id: str, folder: str | Path, as_: str | None = None, *, variant: str | None = None
    ) -> Path:
        """Fetch a model into `folder`, which is made unless it is there and empty; returns it.

        Args:
            model_id: its id, or an alias.
            folder: where its files are to lie.
            as_: in which form: `numpy`, `onnx`, `open_clip` or `huggingface`, which need nothing of this project and
                are waited for while the service makes them; None: the model's own files, as for `download`.
            variant: of such a form: `adapted` or `zero_shot`; None: the one that is served.

        Raises:
            ApiError: the model is unknown, or cannot be had in this form: the message says in which it can.
            InvalidInput: something lies in the folder, or it is a file.
            DamagedDownload: what came is no whole zip.
        """
        target, asked = Path(folder), stated({"as": as_, "variant": variant})
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            message = f"{target} is there already and not empty; name another folder."
            raise InvalidInput(message, code="folder_not_empty", field="folder")
        with TemporaryFile() as packed:
            await self._connection.fetch(path_to("models", model_id, "artifact"), packed, asked)
            target.mkdir(parents=True, exist_ok=True)
            try:
                with zipfile.ZipFile(packed) as archive:
                    archive.extractall(target)
            except BaseException as error:  # such as a full disk: the folder was empty before
                for part in target.iterdir():
                    shutil.rmtree(part) if part.is_dir() else part.unlink()
                if isinstance(error, zipfile.BadZipFile | zlib.error):
                    raise DamagedDownload(
                        f"The files of {model_id} came damaged ({error}): fetch them again."
                    ) from error
                raise
        return target


class AsyncAliases:
    """`client.aliases` of an `AsyncClient`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def set(self, name: str, model_id: str) -> None:
        """Make `name` stand for a model, from now on."""
        await self._connection.request(
            "PUT", path_to("aliases", name), json={"model_id": checked_id(model_id, "model")}
        )

    async def get(self, name: str) -> str:
        """The id of the model that `name` stands for."""
        return str((await self._connection.request("GET", path_to("aliases", name)))["model_id"])

    async def list(self, *, model_id: str | None = None) -> dict[str, str]:
        """Every name, or those of one model (an id or an alias), and the id of its model."""
        pages = self._connection.pages(path_to("aliases"), model_id=model_id)
        return {raw["name"]: raw["model_id"] async for raw in pages}

    async def delete(self, name: str) -> None:
        """Forget a name; the model stays."""
        await self._connection.request("DELETE", path_to("aliases", name))


class Models(Blocking[AsyncModels]):
    """`client.models`."""

    get = blocking(AsyncModels.get)
    list = blocking_iterator(AsyncModels.list)
    rename = blocking(AsyncModels.rename)
    delete = blocking(AsyncModels.delete)
    download = blocking(AsyncModels.download)
    pull = blocking(AsyncModels.pull)


class Aliases(Blocking[AsyncAliases]):
    """`client.aliases`."""

    set = blocking(AsyncAliases.set)
    get = blocking(AsyncAliases.get)
    list = blocking(AsyncAliases.list)
    delete = blocking(AsyncAliases.delete)
