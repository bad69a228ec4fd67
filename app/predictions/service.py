"""Predict requests: the model found, the engine asked, its refusals made HTTP."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from app.caller import Caller
from app.http.budgets import holding_of
from app.http.errors import ApiError, FieldError, client_left, invalid, several
from app.models import service as models
from app.predictions.schemas import PredictInput, PredictionListDocument, PredictOptions, show_predictions
from app.serving.batcher import BatcherStopped, QueueFull
from app.serving.engine import Served
from app.serving.inputs import EmbeddingSource, Source
from app.serving.outcomes import ItemError
from pouf_core.data.texts import TextItem
from pouf_core.errors import ArtifactError, InvalidInput
from store.settings import Settings

T = TypeVar("T")


@dataclass(frozen=True)
class Input:
    """What is to be classified, and what the caller calls it."""

    source: Source
    name: str | None = None


async def predict(
    request: Request, caller: Caller, model_name: str, inputs: Sequence[Input], options: PredictOptions
) -> PredictionListDocument:
    """Return the prediction document; raises 404, 422 when no input is usable, 503 or 504 when overloaded."""
    model = await run_in_threadpool(models.find_servable, caller, model_name)
    settings = caller.state.settings
    if not inputs:
        raise invalid("no_inputs", "Send at least one input.", "/inputs")
    if len(inputs) > settings.max_predict_items:
        raise too_many_inputs(settings.max_predict_items)
    work = caller.state.engine.predict(
        model, [each.source for each in inputs], options.top_k, options.variant, options.threshold, holding_of(request)
    )
    try:
        served = await answered(request, work, settings)
    except (FileNotFoundError, ArtifactError) as error:
        await run_in_threadpool(models.find_servable, caller, model.id)  # 404 if it was deleted while it was loaded
        if isinstance(error, ArtifactError):
            raise
        raise ApiError(500, "artifact_missing", f"The artifact of model {model.id} is not in the storage.") from error
    _require_one_prediction(served, inputs)
    return show_predictions(served, [each.name for each in inputs])


async def answered(request: Request, work: Awaitable[T], settings: Settings) -> T:
    """Return what the engine answers, within the time of a predict request and while its client is there.

    Raises 503 ``overloaded`` or ``serving_unavailable``, 504 ``predict_timeout``, or what `work` raises.
    """
    try:
        async with asyncio.timeout(settings.predict_timeout):
            return await while_connected(request, work)
    except QueueFull as error:
        raise _unavailable("overloaded", "Too many inputs are waiting; try again shortly.") from error
    except BatcherStopped as error:
        raise _unavailable("serving_unavailable", f"Serving was interrupted: {error}.") from error
    except TimeoutError as error:
        raise ApiError(504, "predict_timeout", f"No answer within {settings.predict_timeout:g} seconds.") from error


def too_many_inputs(most: int, pointer: str = "/inputs") -> ApiError:
    """Return the 422 for a request with more than `most` inputs."""
    return invalid("too_many_inputs", f"Send at most {most} inputs a request.", pointer)


def input_of(item: PredictInput) -> Input:
    """Return the input with its name."""
    return Input(_source_of(item), item.name)


def _source_of(item: PredictInput) -> Source:
    """Return the input's picture, text or embedding, or what is wrong with it."""
    is_text = item.text is not None or item.text_pair is not None
    if sum(value is not None for value in (item.image, item.embedding, item.embedding_base64)) + is_text > 1:
        return InvalidInput("ambiguous_input", "An input is one `image`, `text`, `embedding` or `embedding_base64`.")
    if is_text:
        return _text_of(item)
    embedding = item.embedding if item.embedding is not None else item.embedding_base64
    if embedding is not None:
        return EmbeddingSource(embedding)
    if not item.image:
        nothing = "The input has no `image`, `text`, `embedding` or `embedding_base64`."
        return InvalidInput("empty_input", nothing if item.image is None else "The picture is empty: it has no bytes.")
    return item.image


def _text_of(item: PredictInput) -> Source:
    if item.text is None:
        return InvalidInput("empty_input", "The input has a `text_pair` and no `text`.")
    return TextItem(item.text, item.text_pair)


async def while_connected(request: Request, work: Awaitable[T]) -> T:
    """Return the result of `work`, which is cancelled when the client leaves; the body must have been read.

    Raises 400 ``client_closed_request`` then, or what `work` raises.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise client_left()
        return task.result()
    finally:
        gone.cancel()
        if not task.done():
            task.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        continue


def _require_one_prediction(served: Served, inputs: Sequence[Input]) -> None:
    errors = [outcome for outcome in served.outcomes if isinstance(outcome, ItemError)]
    if len(errors) == len(inputs):
        raise several(_refusal(index, *each) for index, each in enumerate(zip(inputs, errors, strict=True)))


def _refusal(index: int, refused: Input, error: ItemError) -> FieldError:
    message = error.message if refused.name is None else f"{refused.name}: {error.message}"
    return FieldError(f"/inputs/{index}", error.code, message)


def _unavailable(code: str, detail: str) -> ApiError:
    return ApiError(503, code, detail, headers={"Retry-After": "1", "x-should-retry": "true"})
