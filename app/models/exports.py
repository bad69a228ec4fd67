"""Exports of models: made when they are first asked for, and kept beside the model for a while."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from importlib.metadata import version

from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from app.auth import quotas
from app.caller import Caller
from app.http.archive import files_of, zip_stream
from app.http.errors import ApiError
from app.http.prefer import wait_seconds, wait_until
from app.models import service
from app.models.schemas import ArtifactQuery, ExportDocument
from app.serving.exports import ExportWanted
from app.state import require_space
from pouf_core.contract.exports import EXPORT_CARD, EXPORT_LAYOUT, ExportOptions, Judgement
from pouf_core.errors import PoufError
from pouf_core.exports.formats import UNAVAILABLE, require_format
from store.storage import Storage
from store.tables import AdaptedModel


@dataclass(frozen=True)
class Wanted:
    """An export that is asked for.

    Attributes:
        model: whose it is.
        export: which it is.
        is_made: whether it is there.
    """

    model: AdaptedModel
    export: ExportWanted
    is_made: bool

    @property
    def options(self) -> ExportOptions:
        """What it is to be."""
        return self.export.options

    @property
    def key(self) -> str:
        """Of the storage, where it is once it is made."""
        return self.export.key


async def wanted(caller: Caller, model_id: str, query: ArtifactQuery, prefer: str | None) -> Wanted:
    """Return an export, made or being made; ``Prefer: wait=N`` waits for it.

    Raises 404 ``model_not_found``, 422 ``export_not_supported``, 501 ``export_unavailable``, 429 or 507 where nothing
    more may be stored, 429 or 503 where too many are being made, 503 ``export_timed_out``, or 500 with the code of
    what went wrong.
    """
    found = await run_in_threadpool(_find, caller, model_id, query)
    if found.is_made:
        return found
    future = await run_in_threadpool(_begin, caller, found)
    if not await wait_until(future.done, bool, wait_seconds(prefer)):
        return found
    caller.state.exports.forget(found.key)
    future.result()  # raises what went wrong
    return Wanted(found.model, found.export, is_made=True)


def show_export(found: Wanted) -> ExportDocument:
    """Return what is said of an export that is being made."""
    url = f"/v1/models/{found.model.id}"
    query = f"as={found.options.format}&variant={found.options.variant}"
    return ExportDocument(
        object="export",
        model_id=found.model.id,
        format=found.options.format,
        variant=found.options.variant or "adapted",
        status="running",
        urls={"self": f"{url}/artifact?{query}", "model": url},
    )


def zip_answer(storage: Storage, key: str, filename: str) -> StreamingResponse:
    """Return a stored directory as a zip, made while it is sent; raises 500 ``artifact_missing``."""
    try:
        files = files_of(storage.local_directory(key))
    except FileNotFoundError as error:
        raise ApiError(500, "artifact_missing", f"The content of {filename} is not in the storage.") from error

    def kept_while_sent() -> Iterator[bytes]:
        with storage.in_use(key):
            yield from zip_stream(files)
        storage.cache.trim()

    headers = {"Content-Disposition": f'attachment; filename="{filename}"'}
    return StreamingResponse(kept_while_sent(), media_type="application/zip", headers=headers)


def _find(caller: Caller, model_id: str, query: ArtifactQuery) -> Wanted:
    assert query.format is not None
    model = service.find(caller, model_id)
    result = model.result
    options = ExportOptions(
        format=query.format,
        variant=query.variant or result.fallback or "adapted",
        threshold=model.audited_threshold if query.variant in (None, result.fallback or "adapted") else None,
        judgement=Judgement(verdict=result.verdict, verdict_reasons=result.verdict_reasons, fallback=result.fallback),
    )
    made_by = f"{EXPORT_LAYOUT} {version('pouf-service')} {options.model_dump_json()}"
    digest = hashlib.sha256(made_by.encode()).hexdigest()[:16]
    export = ExportWanted(caller.owner, model.id, f"{query.format}-{digest}", model.storage_key, options)
    return Wanted(model, export, caller.state.storage.exists(f"{export.key}/{EXPORT_CARD}"))


def _begin(caller: Caller, found: Wanted) -> "Future[None]":
    try:
        require_format(_base_model_of(caller, found.model), found.options.format)
    except PoufError as error:
        if error.code == UNAVAILABLE:
            raise ApiError(501, error.code, error.message) from error
        raise
    require_space(caller.state)
    with caller.state.database.write() as session:
        quotas.require_storage(caller.limits, caller.scope(session), found.model.size_bytes)
    return caller.state.exports.make(found.export)


def _base_model_of(caller: Caller, model: AdaptedModel) -> str:
    """Return what the model was adapted from; of embeddings that is not what the job names, and the artifact tells."""
    return str(service.manifest_of(caller, model)["base_model"]["name"])
