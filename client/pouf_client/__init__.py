"""A typed client of the POUF service. It speaks HTTP only: none of the server's code, no PyTorch.

>>> from pouf_client import Client
>>> with Client("http://127.0.0.1:8000") as pouf:
...     dataset = pouf.datasets.create("pictures/", name="mine")
...     job = pouf.jobs.create(dataset.id, ["bird", "boat"])
...     job = pouf.jobs.wait(job.id)
...     predictions = pouf.predict(["new.jpg"], model=job.model_id)
"""

from pouf_client.audits import Audit
from pouf_client.batch_predictions import BatchPrediction
from pouf_client.client import Client
from pouf_client.errors import ApiError, ClientError, JobFailed, Unreachable
from pouf_client.predictions import ItemPrediction, JobComparison
from pouf_client.resources import BaseModel, Dataset, Event, Job, Model, Prediction, Predictions
from pouf_client.results import EstimatedGain, Evaluation, Note

__all__ = [
    "ApiError",
    "Audit",
    "BaseModel",
    "BatchPrediction",
    "Client",
    "ClientError",
    "Dataset",
    "EstimatedGain",
    "Evaluation",
    "Event",
    "ItemPrediction",
    "Job",
    "JobComparison",
    "JobFailed",
    "Model",
    "Note",
    "Prediction",
    "Predictions",
    "Unreachable",
]
