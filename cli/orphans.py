"""`pouf orphans`: stored files that nothing in the database refers to."""

import time
from pathlib import Path

from cli.errors import CommandError
from cli.supervisor import check_paths, say, settings_with


def list_orphans(data_dir: Path | None, remove: bool) -> None:
    """Print them, and remove them if told to. The service may go on.

    Raises:
        CommandError: the database cannot be read, or a setting makes no sense.
    """
    from sqlalchemy.exc import SQLAlchemyError

    from store.database import Database
    from store.orphans import OrphanCollector
    from store.storage import Storage

    settings = settings_with(data_dir=data_dir)
    check_paths(settings)
    database = Database(settings.database_url)
    storage = Storage(settings.storage_url, settings.cache_dir)
    try:
        orphans = OrphanCollector(database, storage).collect(
            time.time() - 3600 * settings.orphan_age_hours, remove=remove
        )
    except SQLAlchemyError as error:
        raise CommandError(f"The database cannot be used: {error}") from error
    finally:
        database.dispose()
    for file in orphans:
        say(f"{file.size:>15,}  {file.key}")
    size = sum(file.size for file in orphans)
    done = "Removed" if remove else "Found"
    say(f"{done} {len(orphans)} files ({size:,} bytes) that nothing refers to" + ("" if remove else "; see --delete"))
