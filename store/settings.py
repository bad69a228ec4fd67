"""Every setting of the service, read from ``POUF_*`` environment variables."""

import json
import os
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from pouf_core.contract.engine import EngineChoice
from pouf_core.contract.method import Auto, Precision
from store.limit_settings import GIB, LimitSettings
from store.retention_settings import RetentionSettings
from store.serving_settings import ServingSettings
from store.setting_names import check_names
from store.setting_values import matches_entry, split_entries


class Settings(LimitSettings, RetentionSettings, ServingSettings):
    """Typed settings; the environment variable of a field is ``POUF_`` and its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="POUF_", extra="ignore", validate_default=True)

    data_dir: Path = Field(Path(".pouf"), description="Directory for everything that the service keeps by default.")
    host: str = Field("127.0.0.1", description="Address that the API listens on.")
    port: int = Field(8000, ge=0, le=65535, description="Port that the API listens on.")
    database_url: str = Field(
        "",
        description="SQLAlchemy URL, `sqlite:///…` or `postgresql://…`; empty: `pouf.db` in the data directory.",
    )
    redis_url: str | None = Field(
        None,
        pattern=r"^rediss?://",
        description="URL of the broker, `redis://…`; unset: `pouf up` starts the embedded server and sets it.",
    )
    storage_url: str = Field(
        "",
        description="fsspec URL of the object storage, `s3://bucket/path`; empty: `storage` in the data directory.",
    )
    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|cuda(:\d+)?)$",
        description="`auto` (CUDA when present), `cpu`, `cuda` or `cuda:N`.",
    )
    gpus_per_job: int = Field(
        1,
        ge=1,
        description="GPUs of a train worker, which trains an item encoder (`tune: model`) on all of them together.",
    )
    engine: EngineChoice = Field(
        "auto",
        description="What runs frozen encoders on a CPU: `torch`, `openvino`, or `auto` for OpenVINO wherever "
        "converting a base model pays. Converted models are kept in `engines` in the data directory.",
    )
    precision: Auto | Precision = Field(
        "auto",
        description="What encoders compute in, for jobs that name no precision and predictions with their models: "
        "`float32`, `bfloat16`, or `auto` for bfloat16 on a GPU that has it and float32 elsewhere.",
    )
    feature_cache_bytes: int = Field(
        10 * GIB,
        ge=0,
        description="Most bytes of features that jobs keep on a machine (`features` in the data directory), so that no "
        "item is encoded twice; the least recently used go first. 0 keeps none.",
    )
    warm_start: bool = Field(
        True,
        description="Begin jobs' processes as copies of a process that has imported everything and loaded the default "
        "base model (elsewhere than on Linux's CPUs: from one that waits for them). It saves a job its seconds of "
        "starting and holds about 600 MB a train worker; false: every job's process is started by itself.",
    )
    threads: int | None = Field(None, ge=1, le=1024, description="CPU threads a training job uses; unset: all cores.")
    deterministic: bool | None = Field(
        None,
        description="Deterministic algorithms only, in training; unset: on a CPU, not on a GPU, where an operation "
        "without one fails the job.",
    )
    job_memory_bytes: int | None = Field(
        None,
        ge=1,
        description="Host memory a training job on the CPU may use, in bytes; unset: nine tenths of what is free.",
    )
    base_models: Annotated[list[str], NoDecode] = Field(
        ["pouf-lite", "minilm", "minilm-mlm", "features"],
        min_length=1,
        description="Base models that jobs may name, separated by commas (or a JSON list); an entry may end in `*`.",
    )
    owner: str = Field(
        "local",
        min_length=1,
        description="Owner of everything created while there are no API keys, and of keys made without `--owner`.",
    )
    bootstrap_key: SecretStr | None = Field(
        None,
        description="An API key with every scope that exists from the first start; `pouf keys generate` makes one.",
    )
    allowed_hosts: Annotated[list[str], NoDecode] = Field(
        [],
        description="Names beside localhost that the service may be called by, and whose pages may call it, while "
        "there are no API keys, separated by commas.",
    )
    key_pepper_file: Path | None = Field(
        None,
        description="File with the secret that API keys are hashed with; unset: `key-pepper` in the data directory, "
        "made with the first key.",
    )
    key_requests_per_minute: int = Field(
        600,
        ge=1,
        description="Most requests a minute with one API key; like the next five, for keys without their own.",
    )
    key_stored_bytes: int = Field(
        100 * GIB, ge=1, description="Most bytes of uploads, items and models that a key's owner may have."
    )
    key_database_bytes: int = Field(
        10 * GIB,
        ge=1,
        description="Most bytes that jobs, models, aliases, batch predictions, audits, datasets, messages to webhooks "
        "and kept answers of an owner with keys may take in the database.",
    )
    key_items: int = Field(10_000_000, ge=1, description="Most dataset items that a key's owner may have.")
    key_concurrent_jobs: int = Field(
        100, ge=1, description="Most unfinished jobs (running, queued, paused) that a key's owner may have."
    )
    key_queued_jobs: int = Field(50, ge=1, description="Most jobs waiting for a worker that a key's owner may have.")

    min_free_bytes: int | None = Field(
        None,
        ge=0,
        description="Bytes that must stay free on the disks of data directory, local storage and SQLite database: with "
        "less, nothing new is taken on; unset: 1 GiB, or a twentieth of a disk smaller than 20 GiB; 0: no such floor.",
    )
    database_connect_seconds: float = Field(
        10, ge=2, description="Seconds that PostgreSQL gets to accept a connection."
    )
    database_answer_seconds: float = Field(
        60, gt=0, description="Seconds after which PostgreSQL ends a statement, or a silent server is given up."
    )
    database_busy_seconds: float = Field(
        20, gt=0, description="Seconds that a write waits for another one to end, on SQLite; a request waits at most 5."
    )
    storage_timeout: float = Field(
        30, gt=0, description="Seconds that a remote object storage gets to accept a connection, and to send something."
    )
    storage_cache_bytes: int = Field(
        20 * GIB,
        ge=0,
        description="Bytes that copies of a remote storage's files may take on a host; those that a running job reads "
        "stay in any case.",
    )

    lease_seconds: float = Field(75, gt=0, description="Seconds after which a job's unrenewed lease expires.")
    lease_renew_seconds: float = Field(10, gt=0, description="Seconds between two renewals of a lease.")
    progress_timeout: float = Field(
        600, gt=0, description="Seconds without a finished micro-batch after which a job counts as stalled."
    )
    load_timeout: float = Field(1800, gt=0, description="Seconds that loading a base model may take in a job.")
    job_max_seconds: float | None = Field(
        7 * 24 * 3600,
        gt=0,
        description="Seconds that a job may run, all of its attempts together, before it fails; and a batch "
        "prediction, from its first start.",
    )
    reaper_interval: float = Field(5, gt=0, description="Seconds between two rounds of the reaper.")
    requeue_after_seconds: float = Field(
        30,
        gt=0,
        description="Seconds after which the message of a queued job that no worker claimed is published again.",
    )
    outbox_interval: float = Field(2, gt=0, description="Seconds between two rounds of publishing the outbox.")
    max_lost_attempts: int = Field(
        3, ge=1, description="Attempts lost in a row, without a new checkpoint, after which a job fails."
    )
    checkpoint_interval_seconds: float = Field(15, gt=0, description="Seconds between two checkpoints of a job.")
    cancel_grace_seconds: float = Field(
        20, gt=0, description="Seconds that a cancelled job gets to stop at a step boundary before it is killed."
    )

    webhook_allowed_networks: Annotated[list[str], NoDecode] = Field(
        [],
        description="Networks beside the public ones that webhooks may go to, as `10.0.0.0/8`, separated by commas.",
    )
    webhook_timeout: float = Field(10, gt=0, le=120, description="Seconds that a webhook's receiver gets to answer.")
    webhook_max_attempts: int = Field(
        8, ge=1, description="Attempts after which a message to a webhook fails for good: 8 take a day and a half."
    )

    idempotency_ttl_hours: float = Field(24, gt=0, description="Hours that an idempotency key's answer is kept.")
    idempotency_in_flight_seconds: float = Field(
        60, gt=0, description="Seconds after which an idempotency key whose request never finished may be used again."
    )
    orphan_age_hours: float = Field(
        24, ge=1, description="Age in hours above which stored files that no row refers to are removed."
    )
    log_level: str = Field(
        "INFO", pattern=r"^(DEBUG|INFO|WARNING|ERROR|CRITICAL)$", description="Least severe level that is logged."
    )

    @field_validator("base_models", mode="before")
    @classmethod
    def _split_base_models(cls, value: object) -> object:
        if isinstance(value, str) and value.lstrip().startswith("["):
            return json.loads(value)
        return split_entries(value)

    @field_validator("webhook_allowed_networks", "allowed_hosts", mode="before")
    @classmethod
    def _split_entries(cls, value: object) -> object:
        return split_entries(value)

    @field_validator("webhook_allowed_networks")
    @classmethod
    def _check_networks(cls, value: list[str]) -> list[str]:
        return [str(ip_network(entry)) for entry in value]

    @field_validator("allowed_hosts")
    @classmethod
    def _lower_hosts(cls, value: list[str]) -> list[str]:
        return [name.lower() for name in value]

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper_log_level(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    def model_post_init(self, context: object) -> None:
        """Derive the URLs that by default lie in the data directory."""
        self.data_dir = self.data_dir.expanduser().absolute()
        if not self.database_url:
            self.database_url = f"sqlite:///{self.data_dir / 'pouf.db'}"
        if not self.storage_url:
            self.storage_url = f"file://{self.data_dir / 'storage'}"

    @property
    def engine_dir(self) -> Path:
        """Where base models converted for an engine are kept."""
        return self.data_dir / "engines"

    @property
    def feature_dir(self) -> Path:
        """Where jobs keep features, in a directory an owner."""
        return self.data_dir / "features"

    @property
    def staging_dir(self) -> Path:
        """Where uploads are received and texts are assembled, each in a temporary directory of its own."""
        return self.data_dir / "staging"

    @property
    def log_dir(self) -> Path:
        """Where the jobs' logs are, and those of the service's parts."""
        return self.data_dir / "logs"

    @property
    def cache_dir(self) -> Path:
        """Where copies of a remote storage's files are kept."""
        return self.data_dir / "cache"

    @property
    def pepper_file(self) -> Path:
        """The file with the secret that API keys are hashed with."""
        return (self.key_pepper_file or self.data_dir / "key-pepper").expanduser().absolute()

    @property
    def webhook_networks(self) -> list[IPv4Network | IPv6Network]:
        """The networks beside the public ones that webhooks may go to."""
        return [ip_network(entry) for entry in self.webhook_allowed_networks]

    def allows_base_model(self, spec: str) -> bool:
        """Tell whether the operator allows the base model `spec`; a `*` matches no `..`."""
        return any(matches_entry(spec, entry) for entry in self.base_models)


@lru_cache
def get_settings() -> Settings:
    """Return the process's settings, read once; raises as `check_names` and pydantic."""
    check_names(os.environ, Settings.model_fields)
    return Settings()
