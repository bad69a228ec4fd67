"""Settings of how long what is kept."""

from pydantic import Field
from pydantic_settings import BaseSettings


class RetentionSettings(BaseSettings):
    """A part of `store.settings.Settings`; what is too old is removed once an hour, and by `pouf prune`."""

    keep_events_days: float = Field(365, gt=0, description="Days that events of finished jobs are kept.")
    keep_metrics_days: float = Field(365, gt=0, description="Days that the numbers of finished jobs' steps are kept.")
    keep_logs_days: float = Field(90, gt=0, description="Days that a job's log is kept after its last line.")
    keep_exports_days: float = Field(
        7, gt=0, description="Days that an export of a model is kept; it is made again when it is asked for."
    )
    keep_unfinished_days: float = Field(
        14, gt=0, description="Days after the last upload to it that a dataset is kept which was never finalized."
    )
    keep_deleted_days: float = Field(
        30,
        gt=0,
        description="Days that the rows of deleted models, datasets and webhooks are kept, which say what they were.",
    )
