"""The web app: pages for people, over the same services as the routes for programs."""

from fastapi import FastAPI

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
    """Add the pages to `app`, and have errors of pages shown as pages."""
    app.state.error_page = error_page
    for module in ROUTERS:
        app.include_router(module.router, include_in_schema=False)
