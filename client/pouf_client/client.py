"""The client itself."""

import base64
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self, cast

from pouf_client.audits import Audits
from pouf_client.batch_predictions import BatchPredictions
from pouf_client.connection import Connection
from pouf_client.datasets import Datasets
from pouf_client.embeddings import encode_vector
from pouf_client.jobs import Jobs
from pouf_client.models import Aliases, Models
from pouf_client.resources import BaseModel, Predictions, Template
from pouf_client.results import Document

Picture = str | Path | bytes


class Client:
    """A connection to one POUF service; close it, or use it in a `with` statement.

    Args:
        base_url: the service, such as `http://127.0.0.1:8000`.
        api_key: sent as a bearer token, where the service asks for one. None: the environment's POUF_API_KEY, if any;
            an empty one: no key.
        timeout: seconds to wait for any one read or write.
        retries: how often a request is sent again when the connection fails or the service is briefly overloaded.
            What creates something carries an Idempotency-Key, so a retry never creates it twice.
    """

    def __init__(self, base_url: str, api_key: str | None = None, *, timeout: float = 60.0, retries: int = 4) -> None:
        if api_key is None:
            api_key = os.environ.get("POUF_API_KEY")
        self._connection = Connection(base_url, api_key, timeout, retries)
        self.datasets = Datasets(self._connection)
        self.jobs = Jobs(self._connection)
        self.audits = Audits(self._connection)
        self.batch_predictions = BatchPredictions(self._connection)
        self.models = Models(self._connection)
        self.aliases = Aliases(self._connection)

    def templates(self) -> list[Template]:
        """Templates and label words of known text tasks, as a job over a language model takes them."""
        return cast(list[Template], self._connection.request("GET", "/v1/templates")["data"])

    def base_models(self) -> list[BaseModel]:
        """What can be adapted here."""
        return [BaseModel.of(raw) for raw in self._connection.request("GET", "/v1/base-models")["data"]]

    def predict(
        self,
        pictures: Sequence[Picture],
        model: str,
        *,
        top_k: int = 1,
        variant: str | None = None,
        threshold: float | str | None = None,
    ) -> Predictions:
        """Classify pictures.

        Args:
            pictures: paths, or the bytes of picture files.
            model: a model's id or an alias.
            top_k: how many classes to return for each picture.
            variant: `adapted` or `zero_shot`; None: `adapted`, unless the model fell back to zero-shot.
            threshold: a picture whose largest class probability is below gets no label; `auto`: the threshold that the
                model's job proposed. None: the one that the job was created with, if any.

        Raises:
            ApiError: the model is unknown, or no picture could be read; a single bad one has its `error` set instead.
        """
        inputs = [{"image": base64.b64encode(_content(picture)).decode()} for picture in pictures]
        return self._predict(inputs, model, top_k, variant, threshold)

    def predict_texts(
        self,
        texts: Sequence[str | tuple[str, str]],
        model: str,
        *,
        top_k: int = 1,
        variant: str | None = None,
        threshold: float | str | None = None,
    ) -> Predictions:
        """Classify texts, or pairs of texts; other arguments and errors as for `predict`."""
        return self._predict([_text_input(text) for text in texts], model, top_k, variant, threshold)

    def predict_embeddings(
        self,
        vectors: Iterable[Iterable[float]],
        model: str,
        *,
        top_k: int = 1,
        variant: str | None = None,
        threshold: float | str | None = None,
    ) -> Predictions:
        """Classify embeddings, such as the rows of a numpy array; other arguments and errors as for `predict`."""
        inputs = [{"embedding_base64": encode_vector(row)} for row in vectors]
        return self._predict(inputs, model, top_k, variant, threshold)

    def _predict(
        self, inputs: list[dict[str, str]], model: str, top_k: int, variant: str | None, threshold: float | str | None
    ) -> Predictions:
        body: Document = {"model": model, "inputs": inputs, "top_k": top_k}
        optional = {"variant": variant, "threshold": threshold}
        body |= {field: value for field, value in optional.items() if value is not None}
        return Predictions.of(self._connection.request("POST", "/predict", json=body))

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _content(picture: Picture) -> bytes:
    return picture if isinstance(picture, bytes) else Path(picture).read_bytes()


def _text_input(text: str | tuple[str, str]) -> dict[str, str]:
    return {"text": text} if isinstance(text, str) else {"text": text[0], "text_pair": text[1]}
