"""What the API sent to workers."""

from store.tables import OutboxMessage


def tasks(database):
    with database.read() as session:
        return [(row.task, row.queue, row.payload) for row in session.query(OutboxMessage).all()]
