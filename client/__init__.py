"""A typed client of the POUF service. It speaks HTTP only: none of the server's code, no PyTorch.

>>> from client import Client
>>> with Client("http://127.0.0.1:8000") as pouf:
...     dataset = pouf.datasets.create("pictures/", name="mine")
...     job = pouf.jobs.create(dataset.id, ["bird", "boat"])
...     job = pouf.jobs.wait(job.id)
...     predictions = pouf.predict(["new.jpg"], model=job.model_id)
"""

from client.audits import Audit
from client.batch_predictions import BatchPrediction
from client.client import Client
from client.errors import ApiError, ClientError, JobFailed, Unreachable
from client.predictions import ItemPrediction, JobComparison
from client.resources import BaseModel, Dataset, Event, Job, Model, Prediction, Predictions
from client.results import EstimatedGain, Evaluation, Note

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
