"""`pouf backup` and `pouf restore`: database and storage, to a folder and back."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cli.data_directory import DataDirectory
from cli.errors import CommandError
from cli.supervisor import check_paths, say, settings_with

if TYPE_CHECKING:
    from store.database import Database
    from store.settings import Settings
    from store.storage import Storage


def back_up(target: Path, data_dir: Path | None) -> None:
    """Write a backup; the service may go on.

    Raises:
        CommandError: says what to do.
    """
    from store.backup import back_up as run

    settings = settings_with(data_dir=data_dir)
    check_paths(settings)
    with _opened(settings) as (database, storage):
        count = run(database, storage, target.absolute())
    say(f"Backed up {count} files to {target}")
    if settings.pepper_file.exists():
        say(f"Keep {settings.pepper_file} too, apart from it: without that file no API key of the backup works.")


def restore(source: Path, data_dir: Path | None) -> None:
    """Bring a backup back to an empty database and storage, while no service runs on them.

    Raises:
        CommandError: says what to do.
    """
    from store.backup import restore as run

    settings = settings_with(data_dir=data_dir)
    check_paths(settings)
    directory = DataDirectory(settings.data_dir)
    directory.create()
    with directory.locked("restoring a backup"), _opened(settings) as (database, storage):
        count = run(database, storage, source.absolute())
    say(f"Restored {count} files from {source}")
    if not settings.pepper_file.exists():
        say(f"If there were API keys, put the secret that they are hashed under back to {settings.pepper_file}.")


@contextmanager
def _opened(settings: "Settings") -> "Iterator[tuple[Database, Storage]]":
    from store.backup import BackupFailed
    from store.database import Database
    from store.storage import Storage

    database = Database(settings.database_url)
    try:
        yield database, Storage(settings.storage_url, settings.cache_dir)
    except BackupFailed as error:
        raise CommandError(str(error)) from error
    finally:
        database.dispose()
