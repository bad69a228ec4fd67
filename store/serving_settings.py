"""Settings of predictions: what the API keeps loaded, and how it batches what is asked for."""

from pydantic import Field
from pydantic_settings import BaseSettings

from store.limit_settings import GIB


class ServingSettings(BaseSettings):
    """How the API serves models."""

    preload: bool = Field(
        True,
        description="Load the first of `POUF_BASE_MODELS` when the API starts, which is ready when a prediction works; "
        "false: load it when it is first needed.",
    )
    predict_batch_size: int = Field(
        32, ge=1, description="Largest batch of pictures that an encoder takes (dynamic batching)."
    )
    predict_max_delay_ms: float = Field(
        5, ge=0, description="Maximum queue delay: milliseconds that a picture waits for others that are being decoded."
    )
    predict_decoders: int = Field(
        2,
        ge=1,
        description="Processes that decode the pictures of one owner's predict requests at a time. There is one more, "
        "for those of other owners.",
    )
    predict_queue_items: int = Field(512, ge=1, description="Most pictures waiting for an encoder; more get 503.")
    predict_queue_bytes: int = Field(
        GIB, ge=1, description="Most bytes of decoded pictures waiting for an encoder; more get 503."
    )
    predict_timeout: float = Field(60, gt=0, description="Seconds after which a predict request is answered 504.")
    model_cache_bytes: int = Field(2 * GIB, ge=1, description="Memory budget for adapted models kept loaded, in bytes.")
    base_model_cache_bytes: int = Field(
        4 * GIB,
        ge=1,
        description="Memory budget for base models kept loaded by the API, in bytes; the first of `POUF_BASE_MODELS` "
        "stays loaded, and so does one in use.",
    )
