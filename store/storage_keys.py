"""Where everything lies in the object storage. A dataset's files and a model's are each below one key of their own,
so that deleting the one key deletes them all.
"""

DATASETS, MODELS, CHECKPOINTS, PREDICTIONS = "datasets", "models", "checkpoints", "predictions"
EXPORTS = "exports"


def dataset_key(dataset_id: str) -> str:
    """Everything of a dataset."""
    return f"{DATASETS}/{dataset_id}"


def upload_key(dataset_id: str, sha256: str) -> str:
    """A file as it was uploaded."""
    return f"{dataset_key(dataset_id)}/uploads/{sha256}"


def picture_key(dataset_id: str, sha256: str) -> str:
    """A picture that ingestion took out of an archive."""
    return f"{dataset_key(dataset_id)}/blobs/{sha256[:2]}/{sha256}"


def texts_key(dataset_id: str, fence: int) -> str:
    """All texts of a dataset in one file, as the ingestion with this fence found them."""
    return f"{dataset_key(dataset_id)}/texts-{fence}/texts.jsonl"


def embeddings_key(dataset_id: str, fence: int) -> str:
    """All embeddings of a dataset in one file, as the ingestion with this fence found them."""
    return f"{dataset_key(dataset_id)}/embeddings-{fence}/embeddings.safetensors"


def model_key(model_id: str) -> str:
    """The folder with an adapted model's artifact."""
    return f"{MODELS}/{model_id}"


def predictions_key(name: str) -> str:
    """The folder with predictions of a dataset: a job's, by the name of its model, or a batch prediction's."""
    return f"{PREDICTIONS}/{name}"


def checkpoints_key(job_id: str, fence: int) -> str:
    """The checkpoints of the attempt with this fence."""
    return f"{CHECKPOINTS}/{job_id}/{fence}"


def exports_key(model_id: str) -> str:
    """All exports of a model."""
    return f"{EXPORTS}/{model_id}"


def export_key(model_id: str, name: str) -> str:
    """The folder of one export."""
    return f"{exports_key(model_id)}/{name}"
