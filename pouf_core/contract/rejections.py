"""What of the data could not be used, grouped by cause, for people to see before anything is trained."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class RejectionGroup(BaseModel):
    """The rejections of one cause."""

    model_config = ConfigDict(extra="forbid")

    code: str
    count: Annotated[int, Field(ge=1)]
    example_name: Annotated[str, Field(description="Of the first one.")]
    message: Annotated[str, Field(description="What is said of the first one.")]
