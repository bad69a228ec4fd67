"""The API application: ``uvicorn app.main:app --http app.http.protocol:SlowClientProtocol``."""

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache
from importlib.metadata import version

from fastapi import APIRouter, Depends, FastAPI
from starlette.routing import BaseRoute

from app import openapi, pages
from app.audits import routes as audits
from app.auth.admission import Admission
from app.auth.authentication import Authentication, Authenticator
from app.base_models import routes as base_models
from app.batch_predictions import routes as batch_predictions
from app.comparisons import routes as comparisons
from app.datasets import routes as datasets
from app.health import routes as health
from app.health.metrics import ServiceMetrics
from app.health.readiness import Readiness
from app.http.answers import Answers
from app.http.budgets import Budgets
from app.http.error_handlers import install_handlers
from app.http.freed_memory import give_back_freed_memory
from app.http.head_requests import HeadRequests
from app.http.json_bodies import refuse_repeated_fields
from app.http.metrics import HttpMetrics
from app.http.open_files import allow_open_files
from app.http.protocol import ConnectionLimits, connection_limits
from app.http.query_parameters import refuse_repeated
from app.http.request_context import RequestContext
from app.http.security_headers import SecurityHeaders
from app.jobs import routes as jobs
from app.keys import routes as keys
from app.keys.startup import prepare_keys
from app.maintenance import routes as maintenance
from app.models import alias_routes as aliases
from app.models import routes as models
from app.predictions import routes as predictions
from app.publishing import Publisher, Queue
from app.reports import routes as reports
from app.serving.engine import Engine
from app.serving.exports import Exports
from app.serving.planes import Planes
from app.serving.samples import Samples
from app.serving.thumbnails import Thumbnails
from app.serving.trials import Trials
from app.state import State
from app.webhooks import routes as webhooks
from store.database import Database, upgrade
from store.orphans import remove_abandoned_staging
from store.private_files import make_data_private
from store.settings import Settings, get_settings
from store.settings_at_start import settings_or_exit
from store.storage import Storage

ROUTERS = (
    predictions,  # asked most often, and the first that matches is searched for in this order
    datasets,
    comparisons,
    jobs,
    audits,
    reports,
    batch_predictions,
    models,
    aliases,
    base_models,
    webhooks,
    keys,
    maintenance,
)
# completed by `app.openapi`; here it keeps FastAPI from describing errors of a form of its own
PROBLEMS: Answers = {"4XX": {"description": "A problem document (RFC 9457)."}}
LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
#: Of routes whose bodies FastAPI parses on the event loop.
SMALL_BODY_BYTES = 64 * 1024
#: How long a request waits for others' writes on SQLite; callers do better to try again, and the others are served.
MOST_BUSY_SECONDS = 5.0
_JOBS = re.compile(r"/v1/jobs(/[^/]+/audits/[^/]+/answers)?/?|/jobs(/trial)?")
_UPLOADS = re.compile(r"/v1/datasets(/[^/]+/(files|archive))?/?")
_PREDICT = re.compile(r"(/v1/models/[^/]+)?/predict/?|/models/[^/]+/try")


EngineFactory = Callable[[Settings, Storage], Engine]


def create_app(settings: Settings | None = None, engine_factory: EngineFactory = Engine) -> FastAPI:
    """Return an application of its own; the database is brought up to date when it starts."""
    settings = settings or get_settings()
    logging.basicConfig(format=LOG_FORMAT)
    for package in ("app", "store", "pouf_core"):
        logging.getLogger(package).setLevel(settings.log_level)
    metrics, budgets = HttpMetrics(), Budgets.of(settings)
    app = FastAPI(
        title="POUF service",
        version=version("pouf-service"),
        summary="Adapt vision-language models to unlabelled pictures.",
        lifespan=_lifespan(settings, metrics, budgets, engine_factory),
        generate_unique_id_function=openapi.operation_id,
        routes=_routes(),
        docs_url=None,  # FastAPI's own page needs the internet
        redoc_url=None,
    )
    # the one added last comes first
    app.add_middleware(Admission, budgets=budgets, is_streamed=_is_streamed)
    app.add_middleware(Authentication)
    app.add_middleware(
        RequestContext,
        limit_of=_body_limits(settings),
        is_streamed=_is_streamed,
        metrics=metrics,
        stall_seconds=settings.stall_seconds,
    )
    app.add_middleware(SecurityHeaders)
    app.add_middleware(HeadRequests)
    install_handlers(app, settings)
    pages.install(app)
    openapi.install(app)
    return app


@cache
def _routes() -> list[BaseRoute]:
    """All routes, put together once: what FastAPI derives from them at the first request serves all applications."""
    router = APIRouter(generate_unique_id_function=openapi.operation_id)
    unambiguous = [Depends(refuse_repeated), Depends(refuse_repeated_fields)]
    for module in ROUTERS:
        router.include_router(module.router, responses=PROBLEMS, dependencies=unambiguous)
    router.include_router(health.router, responses=PROBLEMS)
    pages.include_in(router)
    return router.routes


def _lifespan(
    settings: Settings, metrics: HttpMetrics, budgets: Budgets, engine_factory: EngineFactory
) -> Callable[[FastAPI], AbstractAsyncContextManager[ConnectionLimits]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[ConnectionLimits]:
        state = _build_state(settings, metrics, engine_factory)
        app.state.pouf = state
        app.state.authenticator = Authenticator(settings, state.database)
        state.publisher.start()
        state.engine.start()
        app.state.readiness = Readiness(state)
        watching = (app.state.readiness.watch(), give_back_freed_memory(budgets))
        watches = [asyncio.ensure_future(each) for each in watching]
        try:
            yield connection_limits(settings)
        finally:
            for watch in watches:
                watch.cancel()
            state.engine.stop()
            state.thumbnails.close()
            state.samples.close()
            state.exports.close()
            state.trials.close()
            state.planes.close()
            state.publisher.stop()
            state.queue.close()
            state.database.dispose()

    return lifespan


def _build_state(settings: Settings, metrics: HttpMetrics, engine_factory: EngineFactory) -> State:
    make_data_private(settings)
    upgrade(settings.database_url)
    database = Database.of(settings, MOST_BUSY_SECONDS)
    prepare_keys(settings, database)
    storage = Storage.of(settings)
    queue = Queue(settings.redis_url)
    engine = engine_factory(settings, storage)
    publisher = Publisher(database, queue)
    beside = Thumbnails(settings), Samples(), Trials(engine), Planes(storage), Exports(settings, database, storage)
    state = State(settings, database, storage, queue, publisher, engine, metrics, *beside)
    remove_abandoned_staging(state.staging_root, time.time() - 3600 * settings.orphan_age_hours)
    metrics.registry.register(ServiceMetrics(state))
    return state


def _is_streamed(path: str) -> bool:
    return _UPLOADS.fullmatch(path) is not None


def _body_limits(settings: Settings) -> Callable[[str], int]:
    def limit_of(path: str) -> int:
        if _UPLOADS.fullmatch(path):
            return settings.max_upload_bytes
        if _PREDICT.fullmatch(path):
            return settings.max_predict_bytes
        return settings.max_json_bytes if _JOBS.fullmatch(path) else min(settings.max_json_bytes, SMALL_BODY_BYTES)

    return limit_of


def __getattr__(name: str) -> FastAPI:
    """Build `app` only when something asks for it, so that importing this module reads no settings."""
    if name != "app":
        raise AttributeError(name)
    allow_open_files()  # first: limits of the settings go by it
    globals()["app"] = create_app(settings_or_exit())
    application: FastAPI = globals()["app"]
    return application
