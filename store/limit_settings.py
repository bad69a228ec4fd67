"""Settings of what one request, file or dataset may hold, how much requests may take together, what metrics tell."""

import resource

from pydantic import Field
from pydantic_settings import BaseSettings

from pouf_core.contract.item_limits import (
    DECODING_CPU_SECONDS,
    DECODING_MEMORY_BYTES,
    MAX_ARCHIVE_ENTRIES,
    MAX_ARCHIVE_RATIO,
    MAX_ITEM_BYTES,
    MAX_PIXELS,
)

MIB = 1024**2
GIB = 1024**3


class LimitSettings(BaseSettings):
    """A part of `store.settings.Settings`."""

    max_upload_bytes: int = Field(10 * GIB, ge=1, description="Largest request body of an upload, in bytes.")
    stall_seconds: float = Field(
        30,
        gt=0,
        description="Slow-client timeout: seconds that a client may send nothing, or less than the minimum data rate, "
        "or leave an answer unread, or still send a body that was answered, before its connection is closed.",
    )
    max_connections: int = Field(
        500,
        ge=1,
        description="Open connections above which the API closes new ones, after a 503; at most half of the files that "
        "its process may have open (`ulimit -n`).",
    )
    max_form_files: int = Field(1000, ge=1, description="Most files in one multipart upload; archives hold more.")
    max_items: int = Field(1_000_000, ge=1, description="Most items in one dataset.")
    max_item_bytes: int = Field(MAX_ITEM_BYTES, ge=1, description="Largest single picture of a dataset, in bytes.")
    max_pixels: int = Field(
        MAX_PIXELS, ge=1, le=MAX_PIXELS, description="Largest picture, in pixels (width times height)."
    )
    decode_memory_bytes: int = Field(
        DECODING_MEMORY_BYTES,
        ge=64 * MIB,
        description="Memory that decoding one picture may take, in bytes (on Linux).",
    )
    decode_cpu_seconds: float = Field(
        DECODING_CPU_SECONDS,
        gt=0,
        description="CPU seconds that decoding one picture may take; twice as many of wall-clock time.",
    )
    max_archive_entries: int = Field(MAX_ARCHIVE_ENTRIES, ge=1, description="Most entries in one archive.")
    max_archive_ratio: float = Field(
        MAX_ARCHIVE_RATIO,
        gt=1,
        description="Largest ratio of unpacked to packed bytes of an archive, against decompression bombs.",
    )
    max_json_bytes: int = Field(8 * MIB, ge=1024, description="Largest JSON request body other than predict, in bytes.")
    request_memory_bytes: int = Field(
        GIB,
        ge=1024**2,
        description="Memory that bodies of requests in flight may take together, received and parsed, in bytes; an "
        "owner may take half. What does not fit is refused with 503, 429 or 413.",
    )
    predict_pixels: int = Field(
        1_000_000_000,
        ge=1_000_000,
        description="Pixels of the pictures of predict requests in flight together, by their headers; an owner may "
        "take half. More is refused with 503, 429 or 413 before it is decoded.",
    )
    max_predict_bytes: int = Field(64 * MIB, ge=1024, description="Largest request body of predict, in bytes.")
    max_predict_items: int = Field(256, ge=1, description="Most inputs in one predict request.")
    metrics_owners: int = Field(
        20,
        ge=0,
        description="Owners that `/metrics` names in what it tells of each owner: those with most. 0: it names none.",
    )

    @property
    def connections(self) -> int:
        """Open connections of the API; what they leave of the files that may be open is for what requests need."""
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return self.max_connections if files == resource.RLIM_INFINITY else min(self.max_connections, files // 2)
