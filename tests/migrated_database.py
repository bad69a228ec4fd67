"""A database of the newest schema, on SQLite and on PostgreSQL where its server is installed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from store.database import Database

DATABASES = ("sqlite", "postgresql")


def migrated_database(request: pytest.FixtureRequest, settings: Any) -> Iterator[Database]:
    """For a fixture with the parameters `DATABASES`."""
    url = settings.database_url if request.param == "sqlite" else request.getfixturevalue("migrated_postgres_url")
    database = Database(url)
    yield database
    database.dispose()
