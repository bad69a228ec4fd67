"""The web app: pages for people, over the same services as the routes for programs."""

from fastapi import APIRouter, FastAPI

from app.pages import (
    assets,
    comparisons,
    datasets,
    exports,
    guide,
    jobs,
    keys,
    models,
    new_jobs,
    reference,
    reviews,
    service,
    signing_in,
    webhooks,
)
from app.pages.errors import error_page

_OF_DATA = (datasets, new_jobs, comparisons, reviews, jobs, models, exports)
ROUTERS = (signing_in, *_OF_DATA, service, keys, webhooks, reference, guide, assets)


def install(app: FastAPI) -> None:
    """Have errors of pages shown as pages."""
    app.state.error_page = error_page


def include_in(router: APIRouter) -> None:
    """Add the pages to `router`."""
    for module in ROUTERS:
        router.include_router(module.router, include_in_schema=False)
