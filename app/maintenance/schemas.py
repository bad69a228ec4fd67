"""What is too old: the request and the answer."""

from typing import Annotated, Literal

from pydantic import Field

from app.http.schemas import Closed, Document


class PruneRequest(Closed):
    """What to do with what is older than the settings say."""

    dry_run: Annotated[bool, Field(description="Count only.")] = False


class PrunedDocument(Document):
    """What was too old."""

    object: Literal["pruned"]
    dry_run: bool
    counts: Annotated[dict[str, int], Field(description="How many of each kind; new kinds may be added.")]
