"""The clients themselves: one that blocks, one for an event loop."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Self, cast

import httpx

from pouf_client.addresses import is_loopback, without_password
from pouf_client.answers import Predictions
from pouf_client.audits import AsyncAudits, Audits
from pouf_client.batch_predictions import AsyncBatchPredictions, BatchPredictions
from pouf_client.blocking import Blocking, blocking, run
from pouf_client.connection import Connection
from pouf_client.datasets import AsyncDatasets, Datasets
from pouf_client.embeddings import Vectors
from pouf_client.errors import InvalidInput
from pouf_client.inputs import Inputs
from pouf_client.jobs import AsyncJobs, Jobs
from pouf_client.keys import AsyncKeys, Keys
from pouf_client.me import Me
from pouf_client.models import Aliases, AsyncAliases, AsyncModels, Models
from pouf_client.predicting import Predicting
from pouf_client.resources import BaseModel, Template
from pouf_client.transport import AsyncTransport, BlockingTransport, Transport

KEY_VARIABLE = "POUF_API_KEY"


class Service:
    """What a service can be asked, over a transport of either kind."""

    def __init__(self, transport: Transport, retries: int) -> None:
        self._connection = Connection(transport, retries)
        self._predicting = Predicting(self._connection)
        self.datasets = AsyncDatasets(self._connection)
        self.jobs = AsyncJobs(self._connection)
        self.audits = AsyncAudits(self._connection)
        self.batch_predictions = AsyncBatchPredictions(self._connection)
        self.models = AsyncModels(self._connection)
        self.aliases = AsyncAliases(self._connection)
        self.keys = AsyncKeys(self._connection)

    async def templates(self) -> list[Template]:
        """Templates and label words of known text tasks, as a job over a language model takes them."""
        return cast(list[Template], (await self._connection.request("GET", "/v1/templates"))["data"])

    async def base_models(self) -> list[BaseModel]:
        """What can be adapted here."""
        return [BaseModel.of(raw) for raw in (await self._connection.request("GET", "/v1/base-models"))["data"]]

    async def me(self) -> Me:
        """Who the key is, what it may do, and what is taken of its limits."""
        return cast(Me, await self._connection.request("GET", "/v1/me"))

    async def prune(self, *, dry_run: bool = False) -> dict[str, int]:
        """Remove what is older than the service's settings say, of all owners; returns how many of each kind.

        It takes as long as there is much to remove, and is waited for.

        Args:
            dry_run: count only.
        """
        answer = await self._connection.request("POST", "/v1/prune", json={"dry_run": dry_run}, patient=True)
        return cast(dict[str, int], answer["counts"])

    async def predict(
        self,
        inputs: Inputs,
        model: str,
        *,
        top_k: int = 1,
        variant: str | None = None,
        threshold: float | str | None = None,
    ) -> Predictions:
        """Classify pictures, texts or embeddings, whichever the model was adapted to; many go in several requests.

        Args:
            inputs: one, or a list of them. For a model of pictures: paths of files or folders, as `str` or `Path`;
                bytes of files; pictures of Pillow; or arrays [height, width, 3] of uint8. For one of texts: texts, or
                pairs of them as `(text, text_pair)`. For one of embeddings: an array [n, d], or rows of numbers. Or a
                table of pandas, polars or pyarrow with a column of paths or texts, or columns of numbers.
            model: a model's id or an alias.
            top_k: how many classes to return for each input.
            variant: `adapted` or `zero_shot`; None: `adapted`, unless the model fell back to zero-shot.
            threshold: an input whose largest class probability is below gets no label; `auto`: the threshold that the
                model's job proposed. None: the one that the job was created with, if any.

        Raises:
            MissingFile: a path leads nowhere.
            InvalidInput: the model cannot classify what was given, or there is nothing to classify.
            ApiError: the model is unknown, or no input could be read; a single bad one has its `error` set instead.
        """
        options = {"top_k": top_k, "variant": variant, "threshold": threshold}
        return await self._predicting.predict(inputs, None, model, options)

    async def predict_texts(
        self,
        texts: Sequence[str | tuple[str, str]],
        model: str,
        *,
        top_k: int = 1,
        variant: str | None = None,
        threshold: float | str | None = None,
    ) -> Predictions:
        """Classify texts, or pairs of texts; other arguments and errors as for `predict`."""
        options = {"top_k": top_k, "variant": variant, "threshold": threshold}
        return await self._predicting.predict(texts, "text", model, options)

    async def predict_embeddings(
        self,
        vectors: Vectors,
        model: str,
        *,
        top_k: int = 1,
        variant: str | None = None,
        threshold: float | str | None = None,
    ) -> Predictions:
        """Classify embeddings, such as the rows of a numpy array; other arguments and errors as for `predict`."""
        options = {"top_k": top_k, "variant": variant, "threshold": threshold}
        return await self._predicting.predict(vectors, "embedding", model, options)

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()


class AsyncClient(Service):
    """A connection to one POUF service for programs on an event loop; arguments as for `Client`.

    The methods are those of `Client`, to be awaited; what gives one element after another is for `async for`. Close it,
    or use it in an `async with` statement.
    """

    def __init__(self, base_url: str, api_key: str | None = None, *, timeout: float = 60.0, retries: int = 4) -> None:
        url, headers = _checked_url(base_url), _headers(api_key)
        direct = httpx.AsyncHTTPTransport() if is_loopback(url) else None
        with _told_of_proxies():
            http = httpx.AsyncClient(base_url=url, headers=headers, timeout=timeout, transport=direct)
        super().__init__(AsyncTransport(http), retries)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()


class Client(Blocking[Service]):
    """A connection to one POUF service; close it, or use it in a `with` statement.

    Args:
        base_url: the service, such as `http://127.0.0.1:8000`. One on this machine is spoken to without the proxy that
            the environment may name.
        api_key: sent as a bearer token, where the service asks for one. None: the environment's POUF_API_KEY, if any;
            an empty one: no key.
        timeout: seconds to wait for any one read or write.
        retries: how often a request is sent again when the connection fails or the service is briefly overloaded.
            What creates something carries an Idempotency-Key, so a retry never creates it twice.

    Raises:
        InvalidInput: the address or the key cannot be right, or the environment's proxy cannot be used.
    """

    def __init__(self, base_url: str, api_key: str | None = None, *, timeout: float = 60.0, retries: int = 4) -> None:
        url, headers = _checked_url(base_url), _headers(api_key)
        direct = httpx.HTTPTransport() if is_loopback(url) else None
        with _told_of_proxies():
            http = httpx.Client(base_url=url, headers=headers, timeout=timeout, transport=direct)
        super().__init__(Service(BlockingTransport(http), retries))
        self.datasets = Datasets(self._core.datasets)
        self.jobs = Jobs(self._core.jobs)
        self.audits = Audits(self._core.audits)
        self.batch_predictions = BatchPredictions(self._core.batch_predictions)
        self.models = Models(self._core.models)
        self.aliases = Aliases(self._core.aliases)
        self.keys = Keys(self._core.keys)

    templates = blocking(Service.templates)
    base_models = blocking(Service.base_models)
    me = blocking(Service.me)
    prune = blocking(Service.prune)
    predict = blocking(Service.predict)
    predict_texts = blocking(Service.predict_texts)
    predict_embeddings = blocking(Service.predict_embeddings)

    def close(self) -> None:
        """Close the connection."""
        run(self._core.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _checked_url(base_url: str) -> str:
    example = "give one such as http://127.0.0.1:8000"
    shown = repr(without_password(base_url) if isinstance(base_url, str) else base_url)
    try:
        url = httpx.URL(base_url.strip())
    except (httpx.InvalidURL, AttributeError, TypeError) as error:
        raise _invalid("invalid_url", f"{shown} is no address of a service: {example}.", "base_url") from error
    if url.scheme not in ("http", "https") or not url.host:
        message = f"The address {shown} has no http:// or https:// before a host: {example}."
        raise _invalid("invalid_url", message, "base_url")
    path = url.path.rstrip("/")
    if path.endswith(("/v1", "/docs", "/guide")):
        message = f"The address {shown} names a page of the service: leave out {path[path.rindex('/') :]!r}."
        raise _invalid("invalid_url", message, "base_url")
    return str(url).rstrip("/")


@contextmanager
def _told_of_proxies() -> Iterator[None]:
    """Tell a proxy of the environment that httpx cannot use as wrong input."""
    try:
        yield
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        message = (
            "The proxy that the environment names cannot be used: correct HTTP_PROXY, HTTPS_PROXY and ALL_PROXY "
            "(SOCKS needs `pip install httpx[socks]`), or name the service's host in NO_PROXY."
        )
        raise _invalid("invalid_proxy", message, "base_url") from error


def _headers(api_key: str | None) -> dict[str, str]:
    key = (os.environ.get(KEY_VARIABLE, "") if api_key is None else api_key).strip()
    if not key.isascii() or not key.isprintable() or " " in key:
        message = "The API key has characters that no key has: copy it again, as `pouf keys create` printed it."
        raise _invalid("invalid_api_key", message, "api_key")
    return {"Authorization": f"Bearer {key}"} if key else {}


def _invalid(code: str, message: str, field: str) -> InvalidInput:
    return InvalidInput(message, code=code, field=field)
