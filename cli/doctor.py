"""`pouf doctor`: looks at every part that the service needs, and says what to do about each that is amiss."""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.text import Text

from cli import CommandError, options
from cli.addresses import TIMEOUT_SECONDS, answer_of
from cli.exit_codes import ExitCode
from cli.failures import explain
from cli.remote.connection import checked_address, default_url, named_url, why_no_service

if TYPE_CHECKING:
    from store.settings import Settings

MARKS = {"ok": ("ok", "green"), "note": ("note", "yellow"), "amiss": ("amiss", "red")}
REDIS_SECONDS = 3.0


@dataclass(frozen=True)
class Finding:
    """What was found of a part, and what to do where something is amiss."""

    part: str
    state: Literal["ok", "note", "amiss"]
    said: str
    advice: str = ""


def doctor(
    data_dir: options.DataDir = None,
    url: Annotated[
        str | None, typer.Option(help="Look at this service alone. Default: POUF_URL, unless there is --data-dir.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a line of JSON for each part.")] = False,
) -> None:
    """Check disk, database, broker, storage, GPU and base models, and say what to do. Nothing is changed."""
    from cli.supervisor import settings_with

    if named := named_url(url, data_dir):
        address = checked_address(named)
        findings = [_service(address)]
        findings += _parts_of(address) if findings[0].state == "ok" else []
    else:
        settings = settings_with(data_dir=data_dir)
        findings = [_examined(part, look, settings) for part, look in PARTS.items()]
    for finding in findings:
        _print_json(finding) if as_json else _print(finding)
    if any(finding.state == "amiss" for finding in findings):
        raise typer.Exit(ExitCode.FAILED)


def _examined(part: str, look: "Callable[[Settings], Finding]", settings: "Settings") -> Finding:
    try:
        return look(settings)
    except Exception as error:  # noqa: BLE001 - whatever is wrong is a finding
        return Finding(part, "amiss", explain(error).message)


def _data_directory(settings: "Settings") -> Finding:
    import os

    place = settings.data_dir
    if not place.exists():
        return Finding("data directory", "note", f"{place} is not there yet", "`pouf up` makes it.")
    if not os.access(place, os.R_OK | os.W_OK | os.X_OK):
        return Finding("data directory", "amiss", f"{place} cannot be written", "Change its owner, or --data-dir.")
    return Finding("data directory", "ok", str(place))


def _disk(settings: "Settings") -> Finding:
    from store import disk

    scarcest = disk.scarcest_with(settings, _local_storage(settings))
    said = f"{scarcest.free / 1e9:,.1f} GB are free, {scarcest.floor / 1e9:,.1f} GB must stay free"
    if scarcest.shortage:
        return Finding("disk", "amiss", said, "Delete datasets or models, `pouf prune`, or lower POUF_MIN_FREE_BYTES.")
    return Finding("disk", "ok", said)


def _database(settings: "Settings") -> Finding:
    from store.database import Database, missing_file, schema_is_newest

    if missing := missing_file(settings.database_url):
        return Finding("database", "note", f"{missing} is not there yet", "`pouf up` or `pouf migrate` makes it.")
    database = Database.of(settings)
    try:
        newest = schema_is_newest(database)
    finally:
        database.dispose()
    kind = database.url.get_backend_name()
    if newest:
        return Finding("database", "ok", f"{kind}, of this version")
    advice = "`pouf up` or `pouf migrate` brings it up to date; make a backup first."
    return Finding("database", "note", f"{kind}, of another version", advice)


def _broker(settings: "Settings") -> Finding:
    if settings.redis_url is None:
        from cli.broker import server_binary

        return Finding("broker", "ok", f"`pouf up` starts its own: {server_binary()}")
    import redis

    timeouts = {"socket_timeout": REDIS_SECONDS, "socket_connect_timeout": REDIS_SECONDS}
    try:
        with redis.Redis.from_url(settings.redis_url, **timeouts) as client:
            client.ping()
            policy = client.config_get("maxmemory-policy").get("maxmemory-policy", "noeviction")
    except (redis.RedisError, ValueError) as error:
        return Finding("broker", "amiss", f"no answer: {error}", "Start Redis or Valkey, or correct POUF_REDIS_URL.")
    if policy != "noeviction":
        return Finding("broker", "amiss", f"it forgets messages ({policy})", "Set maxmemory-policy noeviction.")
    return Finding("broker", "ok", "it answers")


def _local_storage(settings: "Settings") -> Path | None:
    """The directory of a storage on this machine, which a `Storage` would make."""
    prefix = "file://"
    return Path(settings.storage_url.removeprefix(prefix)) if settings.storage_url.startswith(prefix) else None


def _storage(settings: "Settings") -> Finding:
    from store.storage import Storage

    folder = _local_storage(settings)
    if folder is not None and not folder.exists():
        return Finding("storage", "note", f"{folder} is not there yet", "`pouf up` makes it.")
    try:
        Storage.of(settings).ping()
    except OSError as error:
        return Finding("storage", "amiss", str(error), "Look at POUF_STORAGE_URL and the rights to it.")
    return Finding("storage", "ok", "it answers")


def _gpu(settings: "Settings") -> Finding:
    from cli.services import visible_gpus

    try:
        gpus = visible_gpus(settings.device)
    except CommandError as error:
        return Finding("GPU", "amiss", str(error))
    if not gpus:
        return Finding("GPU", "ok", "none is used: jobs run on the CPU")
    return Finding("GPU", "ok", f"{len(gpus)}: a train worker for each")


def _base_models(settings: "Settings") -> Finding:
    from pouf_core.errors import PoufError
    from pouf_core.families.registry import describe

    wrong = []
    names = [name for name in settings.base_models if not name.endswith("*")]
    for name in names:
        try:
            describe(name)
        except PoufError as error:
            wrong.append(f"{name}: {error}")
    if wrong:
        return Finding("base models", "amiss", "; ".join(wrong), "Correct POUF_BASE_MODELS.")
    return Finding("base models", "ok", ", ".join(settings.base_models))


def _running_service(settings: "Settings") -> Finding:
    from cli.data_directory import DataDirectory

    address = DataDirectory(settings.data_dir).served_at() or default_url()
    if why_no_service(address):
        return Finding("service", "note", f"none runs at {address}", "`pouf up` starts one.")
    amiss = [part for part in _parts_of(address) if part.state == "amiss"]
    if amiss:
        said = "; ".join(f"{part.part}: {part.said}" for part in amiss)
        return Finding("service", "amiss", f"{address} is not ready: {said}", "Its log says more.")
    return Finding("service", "ok", f"{address} is ready")


def _service(address: str) -> Finding:
    if reason := why_no_service(address):
        advice = "`pouf up` starts one; --url or POUF_URL names one."
        return Finding("service", "amiss", reason.removesuffix("."), advice)
    return Finding("service", "ok", f"{address} answers")


def _parts_of(address: str) -> list[Finding]:
    """What a service says of its own parts."""
    try:
        _, body = answer_of(f"{address}/health/ready", TIMEOUT_SECONDS)
        checks = json.loads(body)["checks"]
    except (OSError, HTTPException, ValueError, KeyError, TypeError) as error:
        return [Finding("readiness", "amiss", f"no answer: {error}", "The service's log says more.")]
    return [
        Finding(name, "ok", "it works")
        if check["ok"]
        else Finding(name, "amiss", str(check["reason"]), "The service's log says more.")
        for name, check in checks.items()
    ]


PARTS: "dict[str, Callable[[Settings], Finding]]" = {
    "data directory": _data_directory,
    "disk": _disk,
    "database": _database,
    "broker": _broker,
    "storage": _storage,
    "GPU": _gpu,
    "base models": _base_models,
    "service": _running_service,
}


def _print(finding: Finding) -> None:
    mark, style = MARKS[finding.state]
    line = Text(f"{mark:<6}", style) + Text(f"{finding.part:<15} {finding.said}")
    if finding.advice:
        line += Text(f". {finding.advice}")
    Console(highlight=False).print(line, soft_wrap=True)


def _print_json(finding: Finding) -> None:
    sys.stdout.write(json.dumps(asdict(finding), ensure_ascii=False) + "\n")
