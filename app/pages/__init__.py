"""The web app: pages for people, over the same services as the routes for programs."""

from fastapi import FastAPI

from app.pages import assets, datasets, guide, jobs, models, new_jobs, reference, reviews, signing_in
from app.pages.errors import error_page

ROUTERS = (signing_in, datasets, new_jobs, reviews, jobs, models, reference, guide, assets)


def install(app: FastAPI) -> None:
    """Add the pages to `app`, and have errors of pages shown as pages."""
    app.state.error_page = error_page
    for module in ROUTERS:
        app.include_router(module.router, include_in_schema=False)
