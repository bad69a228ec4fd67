"""What of the data could not be used, grouped by cause, for people to see before anything is trained."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from pouf_core.contract.document import STORED


class RejectionGroup(BaseModel):
    """The rejections of one cause."""

    model_config = STORED

    code: str
    count: Annotated[int, Field(ge=1)]
    example_name: Annotated[str, Field(description="Of the first one.")]
    message: Annotated[str, Field(description="What is said of the first one.")]


SkipReason = Literal["hidden_file", "system_file", "sidecar", "description"]
"""Why a file is passed over: its name begins with a point; a system made it; it belongs to a picture beside it; it
describes the data."""
