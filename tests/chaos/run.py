"""One run: an undisturbed service for reference, then the same jobs under faults, then the count."""

from __future__ import annotations

import logging
import random
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from s3fs import S3FileSystem
from sqlalchemy import make_url

from store.database import Database
from tests.chaos.clock import MovableClock
from tests.chaos.disk import can_mount, small_disk
from tests.chaos.pictures import copy_pictures
from tests.chaos.plan import Kind, chosen, draw, kinds_for, outages
from tests.chaos.report import Report
from tests.chaos.scene import NoTarget, Scene
from tests.chaos.service import ChaosService, chaos_service
from tests.chaos.workload import CLASSES, TASKS, Submission, User, Workload, begin
from tests.postgres_server import find_initdb, free_port, postgres_server
from tests.s3_server import CREDENTIALS, s3_server
from tests.silent_proxy import SilentProxy

logger = logging.getLogger(__name__)

PICTURES_A_CLASS = 4
BUCKET = "chaos"
LONGEST_WAIT_FOR_JOBS = 60.0
REFERENCE_TRIES = 3


@dataclass(frozen=True)
class Options:
    """How much of it.

    Attributes:
        faults: how many to inject.
        jobs: least jobs to submit; the faults are spread over them.
        seed: of the faults, their order and moments.
        users: jobs under way at a time.
        train_workers: as on a machine with so many GPUs.
        gap_seconds: between two faults, on average.
        minutes: after which no more is injected, whatever was asked for.
        outage_minutes: database, storage and broker are away for so long each, one after the other, before the faults.
        drain_seconds: for the last jobs to end, once there are no more faults.
        disk_mebibytes: of the disk that is filled.
        postgres: PostgreSQL instead of SQLite.
        s3: S3 instead of a directory as storage; all train workers but the first have data directories of their own
            then, as on other hosts. The disk is not filled.
        without: kinds of faults to leave out.
        only: the kinds to inject; all when empty.
    """

    faults: int = 200
    jobs: int = 50
    seed: int = 0
    users: int = 4
    train_workers: int = 2
    gap_seconds: float = 3.0
    minutes: float = 240.0
    outage_minutes: float = 0.0
    drain_seconds: float = 900.0
    disk_mebibytes: int = 512
    postgres: bool = False
    s3: bool = False
    without: tuple[str, ...] = ()
    only: tuple[str, ...] = ()


def run(options: Options, folder: Path, keep_logs: Path | None = None) -> Report:
    """Do all of it in `folder`, which is empty, and copy the service's logs to `keep_logs`."""
    report = Report(asdict(options))
    with _scene(options, folder) as scene, _logs_kept(scene.service, keep_logs):
        user = User(scene.service.url, copy_pictures(folder / "pictures", CLASSES, PICTURES_A_CLASS))
        references = _references(scene.service, user)
        workload = Workload(user, options.users)
        started = time.monotonic()
        workload.start()
        all_injected = _inject_all(options, scene, workload, report)
        report.seconds = time.monotonic() - started
        _drain(options, scene.service, workload, all_injected)
        report.count(workload.submissions, references)
        report.look_into(scene.database)
    return report


@contextmanager
def _logs_kept(service: ChaosService, folder: Path | None) -> Iterator[None]:
    try:
        yield
    finally:
        if folder is not None:
            shutil.copytree(service.directory.logs, folder, dirs_exist_ok=True)


@contextmanager
def _scene(options: Options, folder: Path) -> Iterator[Scene]:
    with ExitStack() as stack:
        disk = (
            stack.enter_context(small_disk(folder / "data", options.disk_mebibytes))
            if can_mount() and not options.s3
            else None
        )
        clock = MovableClock(folder / "clock")
        initdb = find_initdb() if options.postgres else None
        if options.postgres and initdb is None:
            raise FileNotFoundError("PostgreSQL's server is not installed (Debian: apt install postgresql)")
        url = stack.enter_context(postgres_server(initdb)) if initdb else None
        proxy = stack.enter_context(_silent_proxy(url)) if url else None
        storage = stack.enter_context(_silent_storage()) if options.s3 else None
        data_dir = folder / "data"
        if disk is not None:
            # elsewhere, so that they can tell what a full disk has done
            (folder / "logs").mkdir()
            (data_dir / "logs").symlink_to(folder / "logs")
        service = stack.enter_context(
            chaos_service(
                data_dir,
                database_url=make_url(url).set(port=proxy.port).render_as_string(False) if url and proxy else None,
                train_workers=options.train_workers,
                environment=clock.environment | (_s3_environment(storage) if storage else {}),
                hosts=folder / "hosts" if options.s3 else None,
            )
        )
        database = Database(url or f"sqlite:///{data_dir / 'pouf.db'}")
        stack.callback(database.dispose)
        yield Scene(service, database, disk, clock, random.Random(options.seed), proxy, storage)


def _silent_proxy(url: str) -> SilentProxy:
    """Before a database; what looks into it from here goes past."""
    server = make_url(url)
    return SilentProxy(server.host or "", server.port or 0)


@contextmanager
def _silent_storage() -> Iterator[SilentProxy]:
    """Before an S3 server with an empty bucket."""
    with s3_server(free_port()) as address:
        S3FileSystem(
            key=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            secret=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            endpoint_url=address,
            skip_instance_cache=True,
        ).mkdir(BUCKET)
        server = urlsplit(address)
        with SilentProxy(server.hostname or "", server.port or 0) as proxy:
            yield proxy


def _s3_environment(storage: SilentProxy) -> dict[str, str]:
    return {
        **CREDENTIALS,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{storage.port}",
        "POUF_STORAGE_URL": f"s3://{BUCKET}/storage",
        "POUF_STORAGE_TIMEOUT": "3",
    }


def _references(service: ChaosService, user: User) -> list[str]:
    """The result of each task without faults, some of which a busy machine may have disturbed before the first one."""
    hashes: dict[int, str] = {}
    for number in range(REFERENCE_TRIES):
        missing = [task for task in range(len(TASKS)) if task not in hashes]
        runs = [begin(partial(user.run, Submission(-1 - task - number * len(TASKS), task))) for task in missing]
        while not all(run.done() for run in runs):
            service.wait(0.5)
        for done in (run.result() for run in runs):
            if done.weights is not None and done.attempts == 1:
                hashes[done.task] = done.weights
    if len(hashes) < len(TASKS):
        raise RuntimeError(
            f"No job was left in peace {REFERENCE_TRIES} times: {sorted({*range(len(TASKS))} - {*hashes})}"
        )
    return [hashes[task] for task in range(len(TASKS))]


def _inject_all(options: Options, scene: Scene, workload: Workload, report: Report) -> bool:
    """Whether there was time for all."""
    kinds = chosen(kinds_for(scene), options.only, options.without)
    plan = draw(kinds, options.faults, scene.random) + outages(scene, options.outage_minutes)[::-1]
    deadline = time.monotonic() + 60 * options.minutes
    while plan and time.monotonic() < deadline:
        _keep_pace(scene.service, workload, options.jobs * report.injected / (report.injected + len(plan)))
        scene.service.wait(scene.random.expovariate(1 / options.gap_seconds))
        kind = plan.pop()
        if _inject(kind, scene):
            report.faults[kind.name] += 1
            continue
        report.without_target[kind.name] += 1
        plan.insert(0, kind if report.without_target[kind.name] < 3 else scene.random.choice(kinds))
        workload.ended()
    return not plan


def _keep_pace(service: ChaosService, workload: Workload, jobs: float) -> None:
    """Spread the faults over the jobs, as long as those come."""
    deadline = time.monotonic() + LONGEST_WAIT_FOR_JOBS
    while workload.submitted < jobs and time.monotonic() < deadline:
        service.wait(0.5)


def _inject(kind: Kind, scene: Scene) -> bool:
    seconds = scene.random.uniform(*kind.seconds)
    try:
        with kind.inject(scene) as keep_up:
            logger.info("%s for %.1f s", kind.name, seconds)
            scene.service.wait(seconds, keep_up)
    except NoTarget:
        logger.info("%s: no target", kind.name)
        return False
    return True


def _drain(options: Options, service: ChaosService, workload: Workload, all_injected: bool) -> None:
    """Let the running jobs end, and the missing ones too if all faults were injected in time."""
    deadline = time.monotonic() + options.drain_seconds
    while all_injected and workload.submitted < options.jobs and time.monotonic() < deadline:
        service.wait(0.5)
    workload.stop()
    while not workload.ended() and time.monotonic() < deadline:
        service.wait(0.5)
