"""`/v1/jobs/compare`: two jobs over one dataset."""

from typing import Annotated

from fastapi import APIRouter, Query

from app.caller import Reader
from app.comparisons.schemas import ComparisonQuery, JobComparisonDocument
from app.comparisons.service import compare_jobs

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


@router.get("/compare")
def compare(caller: Reader, query: Annotated[ComparisonQuery, Query()]) -> JobComparisonDocument:
    """Compare two jobs over one dataset: agreement, accuracy where there are labels or answers, where they differ."""
    return compare_jobs(caller, query)
