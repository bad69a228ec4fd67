"""A typed client of the POUF service. It speaks HTTP only: none of the server's code, no PyTorch.

>>> from pouf_client import Client
>>> with Client("http://127.0.0.1:8000") as pouf:
...     dataset = pouf.datasets.create("pictures/", name="mine")
...     job = pouf.jobs.create(dataset.id, ["bird", "boat"])
...     job = pouf.jobs.wait(job.id)
...     predictions = pouf.predict(["new.jpg"], model=job.model_id)
"""

from pouf_client.answers import Prediction, Predictions
from pouf_client.audits import Audit
from pouf_client.batch_predictions import BatchPrediction
from pouf_client.client import AsyncClient, Client
from pouf_client.errors import (
    ApiError,
    ClientError,
    ClosedClient,
    Conflict,
    DamagedDownload,
    DatasetFailed,
    Deleted,
    Forbidden,
    InvalidInput,
    JobFailed,
    MissingFile,
    NotFound,
    RateLimited,
    RefusedInput,
    ServerError,
    StorageFull,
    Unauthorized,
    Unavailable,
    Unreachable,
    WaitTimeout,
)
from pouf_client.predictions import ItemPrediction, JobComparison
from pouf_client.resources import BaseModel, Dataset, Event, Job, Model
from pouf_client.results import EstimatedGain, Evaluation, Note

__all__ = [
    "ApiError",
    "AsyncClient",
    "Audit",
    "BaseModel",
    "BatchPrediction",
    "Client",
    "ClientError",
    "ClosedClient",
    "Conflict",
    "Dataset",
    "DatasetFailed",
    "Deleted",
    "EstimatedGain",
    "Evaluation",
    "Event",
    "Forbidden",
    "DamagedDownload",
    "InvalidInput",
    "ItemPrediction",
    "Job",
    "JobComparison",
    "JobFailed",
    "MissingFile",
    "Model",
    "NotFound",
    "Note",
    "Prediction",
    "Predictions",
    "RateLimited",
    "RefusedInput",
    "ServerError",
    "StorageFull",
    "Unauthorized",
    "Unavailable",
    "Unreachable",
    "WaitTimeout",
]
