"""Predictions of inputs, a request for as many as the service takes at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from pouf_client.answers import Predictions
from pouf_client.connection import Connection, checked_id, path_to
from pouf_client.errors import TOO_LARGE, Forbidden, InvalidInput, RefusedInput
from pouf_client.inputs import Inputs, PredictInput, are_pictures_for_sure, inputs_for
from pouf_client.results import Document, stated

#: Of one request; the service takes 256 by default, and fewer keep its other callers waiting less.
MOST_INPUTS = 64
MOST_CHARACTERS = 16_000_000

Encoded = tuple[PredictInput, dict[str, str]]


class Predicting:
    """Asks for predictions; remembers what models classify, which never changes."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._modalities: dict[str, str] = {}

    async def predict(self, given: Inputs, modality: str | None, model: str, options: Document) -> Predictions:
        """The answers for all inputs.

        Args:
            given: in any form that `inputs_for` takes.
            modality: of the model; None: as the service says.
            model: id or alias.
            options: of the request.

        Raises:
            InvalidInput: as `inputs_for`; or the service does not say what the model classifies.
            ApiError: the service refused, or could read no input.
        """
        if modality is None:
            modality = "image" if are_pictures_for_sure(given) else await self._modality(model)
        inputs = await self._connection.work(partial(inputs_for, given, modality))
        asking = _Asking(self._connection, {"model": checked_id(model, "model"), **stated(options)})
        batches = _batches(inputs)
        while batch := await self._connection.work(lambda: next(batches, None)):
            await asking.ask(batch)
        return asking.predictions()

    async def _modality(self, model: str) -> str:
        if model in self._modalities:
            return self._modalities[model]
        try:
            document = await self._connection.request("GET", path_to("models", model))
        except Forbidden as error:  # a key that may predict and nothing else
            raise _modality_unknown(f"This key may not read what the model {model} classifies") from error
        modality = document.get("modality")
        if modality is None:
            raise _modality_unknown(f"The service does not say what the model {model} classifies")
        if model == document["id"]:  # an alias may be moved
            self._modalities[model] = modality
        return str(modality)


def _modality_unknown(why: str) -> InvalidInput:
    advice = "use predict_texts or predict_embeddings, or give pictures as pathlib.Path"
    return InvalidInput(f"{why}: {advice}.", code="modality_unknown", field="inputs")


class _Asking:
    """The answers so far, of requests about inputs that follow each other."""

    def __init__(self, connection: Connection, body: Document) -> None:
        self._connection = connection
        self._body = body
        self._answer: Document | None = None
        self._refusal: RefusedInput | None = None
        self._found: list[Document] = []

    async def ask(self, batch: Sequence[Encoded]) -> None:
        """Ask about some; those that are too much for one request are asked about by halves.

        Raises:
            ApiError: the service refused for another reason than one of the inputs.
        """
        sent = {**self._body, "inputs": [content for _, content in batch]}
        try:
            self._answer = await self._connection.request("POST", "/predict", json=sent)
            predictions = self._answer["predictions"]
            self._body["model"] = self._answer["model_id"]  # an alias may be moved before the next batch
        except RefusedInput as error:
            if error.status == TOO_LARGE and len(batch) > 1:
                await self.ask(batch[: len(batch) // 2])
                await self.ask(batch[len(batch) // 2 :])
                return
            predictions = [{"error": reason} for reason in error.of_each_input(len(batch))]
            self._refusal = error
        for (each, _), prediction in zip(batch, predictions, strict=True):
            self._found.append({"name": each.name, **prediction, "index": len(self._found)})

    def predictions(self) -> Predictions:
        """All of them.

        Raises:
            RefusedInput: none of the inputs could be used.
        """
        if self._answer is None and self._refusal is not None:
            raise self._refusal.over_inputs([each["error"] for each in self._found])
        return Predictions.of({**(self._answer or {}), "predictions": self._found})


def _batches(inputs: Sequence[PredictInput]) -> Iterator[list[Encoded]]:
    """The inputs in order, encoded only when their turn comes."""
    batch: list[Encoded] = []
    size = 0
    for each in inputs:
        content = each.encode()
        length = sum(map(len, content.values()))
        if batch and (len(batch) == MOST_INPUTS or size + length > MOST_CHARACTERS):
            yield batch
            batch, size = [], 0
        batch.append((each, content))
        size += length
    if batch:
        yield batch
