"""Alembic's entry point; `store.database.upgrade` sets the URL."""

from alembic import context
from sqlalchemy import Connection, create_engine, text

from store.tables import Base

POSTGRES_LOCK = 0x706F7566


def run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


engine = create_engine(context.config.attributes["url"])
with engine.connect() as connection:
    if connection.dialect.name == "sqlite":
        # the driver must not end our transaction before a CREATE TABLE
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.isolation_level = None
        connection.exec_driver_sql("PRAGMA busy_timeout=60000")
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": POSTGRES_LOCK})
    run(connection)
    connection.commit()
engine.dispose()
