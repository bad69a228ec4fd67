"""Every table; importing this package registers all of them."""

from store.tables.adapted_models import AdaptedModel, Alias
from store.tables.audits import Audit, AuditAnswer, AuditItem
from store.tables.base import Base
from store.tables.batch_predictions import BatchPrediction
from store.tables.datasets import Dataset, DatasetItem, OwnerLimits, Upload
from store.tables.heartbeats import Heartbeat
from store.tables.jobs import Job, JobEvent, JobMetric
from store.tables.observations import Observation
from store.tables.requests import ApiKey, IdempotencyKey, OutboxMessage, WebSession
from store.tables.webhooks import Webhook, WebhookDelivery

__all__ = [
    "AdaptedModel",
    "Alias",
    "ApiKey",
    "Audit",
    "AuditAnswer",
    "AuditItem",
    "Base",
    "BatchPrediction",
    "Dataset",
    "DatasetItem",
    "Heartbeat",
    "IdempotencyKey",
    "Job",
    "JobEvent",
    "JobMetric",
    "Observation",
    "OutboxMessage",
    "OwnerLimits",
    "Upload",
    "WebSession",
    "Webhook",
    "WebhookDelivery",
]
