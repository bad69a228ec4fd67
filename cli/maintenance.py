"""`pouf backup`, `pouf restore` and `pouf orphans`: work on the database and the stored files together."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cli import CommandError
from cli.data_directory import DataDirectory
from cli.exit_codes import ExitCode
from cli.supervisor import check_paths, say, settings_with
from pouf_core.contract.counts import counted

if TYPE_CHECKING:
    from store.database import Database
    from store.settings import Settings
    from store.storage import Storage


def back_up(target: Path, data_dir: Path | None) -> None:
    """Write a backup; the service may keep running.

    Raises:
        CommandError: says what to do.
    """
    from store.backup import back_up as run

    settings = _settings(data_dir, must_exist=True)
    with _opened(settings) as (database, storage):
        count = run(database, storage, target.absolute())
    say(f"Backed up {counted(count, 'file')} to {target}")
    if settings.pepper_file.exists():
        say(f"Keep {settings.pepper_file} too, apart from it: without that file no API key of the backup works.")


def restore(source: Path, data_dir: Path | None) -> None:
    """Bring a backup back to an empty database and storage, while no service runs on them.

    Raises:
        CommandError: says what to do.
    """
    from store.backup import checked_manifest
    from store.backup import restore as run

    source = source.absolute()
    with _failures_told():
        manifest = checked_manifest(source)
    settings = _settings(data_dir)
    directory = DataDirectory(settings.data_dir)
    directory.create()
    with directory.locked("restoring a backup"), _opened(settings) as (database, storage):
        count = run(database, storage, source, manifest)
    say(f"Restored {counted(count, 'file')} from {source}")
    if not settings.pepper_file.exists():
        say(f"If there were API keys, put the secret that they are hashed under back to {settings.pepper_file}.")


def list_orphans(data_dir: Path | None, remove: bool) -> None:
    """Print the stored files that nothing in the database refers to, and with `remove` delete them.
    The service may keep running.

    Raises:
        CommandError: there is no database, or a setting makes no sense.
    """
    from store.orphans import OrphanCollector

    settings = _settings(data_dir, must_exist=True)
    before = time.time() - 3600 * settings.orphan_age_hours
    with _opened(settings) as (database, storage):
        orphans = OrphanCollector(database, storage).collect(before, remove=remove)
    for file in orphans:
        say(f"{file.size:>15,}  {file.key}")
    size = sum(file.size for file in orphans)
    found = counted(len(orphans), "file")
    done = "Removed" if remove else "Found"
    say(f"{done} {found} ({counted(size, 'byte')}) that nothing refers to" + ("" if remove else "; see --delete"))


def prune(data_dir: Path | None, *, remove: bool) -> None:
    """Remove what is older than the settings say, or count it, and let SQLite give the space back.
    The service may keep running.

    Raises:
        CommandError: there is no database, or a setting makes no sense.
    """
    from store.clock import utcnow
    from store.retention import prune as run

    settings = _settings(data_dir, must_exist=True)
    with _opened(settings) as (database, storage):
        found = run(database, storage, settings, utcnow(), remove=remove)
        if remove and database.is_sqlite:
            database.give_space_back()
    tell_pruned(found, dry_run=not remove)


def tell_pruned(found: Mapping[str, int], *, dry_run: bool) -> None:
    """Print how many of each kind were too old."""
    for what, count in found.items():
        say(f"{count:>12,}  {what}")
    say("Would be removed; leave --dry-run out to do so" if dry_run else "Removed what is too old")


def _settings(data_dir: Path | None, *, must_exist: bool = False) -> "Settings":
    settings = settings_with(data_dir=data_dir)
    check_paths(settings)
    if must_exist:
        require_database(settings)
    return settings


def require_database(settings: "Settings") -> None:
    """Refuse to make an empty database where somebody mistyped the place of theirs.

    Raises:
        CommandError: there is no database.
    """
    from store.database import missing_file

    if (missing := missing_file(settings.database_url)) is not None:
        advice = "Name the place of yours with --data-dir or POUF_DATABASE_URL; `pouf migrate` makes a new one."
        message = f"There is no database at {missing}. {advice}"
        raise CommandError(message, ExitCode.WRONG_USE)


@contextmanager
def _failures_told() -> "Iterator[None]":
    """What goes wrong with a backup, as a person is told."""
    from store.backup import BackupFailed

    try:
        yield
    except BackupFailed as error:
        raise CommandError(str(error)) from error


@contextmanager
def _opened(settings: "Settings") -> "Iterator[tuple[Database, Storage]]":
    from store.database import Database
    from store.storage import Storage

    database = Database.of(settings)
    try:
        with _failures_told():
            yield database, Storage.of(settings)
    finally:
        database.dispose()
