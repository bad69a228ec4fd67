"""A job's request and result, and those of a model, as one document each; columns that nothing reads go."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
REQUEST = ("base_model", "class_names", "prompt_template", "label_words")
RESULT = ("evaluation", "verdict", "verdict_reasons", "fallback", "selected_step")
DROPPED = {
    "jobs": (*REQUEST, "seed", "method", *RESULT, "warnings", "cancel_requested", "pause_requested", "version"),
    "models": (*REQUEST, "tune", "method", *RESULT),
}
BATCH = 500

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("result", JSON, server_default="{}", nullable=False))
    op.add_column("models", sa.Column("request", JSON, server_default="{}", nullable=False))
    op.add_column("models", sa.Column("result", JSON, server_default="{}", nullable=False))
    _write_documents()
    for table, columns in DROPPED.items():
        with op.batch_alter_table(table) as batch:
            for column in columns:
                batch.drop_column(column)


def _write_documents() -> None:
    connection = op.get_bind()
    jobs = _table("jobs", "id", "request", "seed", "method", *REQUEST, *RESULT, "warnings", "result")
    models = _table("models", "id", "job_id", "method", *RESULT, "request", "result")
    last = ""
    while rows := connection.execute(_page(jobs, last)).mappings().all():
        last = rows[-1]["id"]
        requests = {row["id"]: _request(row) for row in rows}
        warnings = {row["id"]: {"warnings": row["warnings"]} for row in rows}
        for row in rows:
            values = {"request": requests[row["id"]], "result": _result(row) | warnings[row["id"]]}
            connection.execute(jobs.update().where(jobs.c.id == row["id"]).values(values))
        published = sa.select(models).where(models.c.job_id.in_(requests))
        for row in connection.execute(published).mappings().all():
            job_id = row["job_id"]
            values = {"request": requests[job_id], "result": _result(row) | warnings[job_id]}
            connection.execute(models.update().where(models.c.id == row["id"]).values(values))


def _table(name: str, *columns: str) -> sa.Table:
    texts = {"id", "job_id", "base_model", "verdict", "fallback"}
    types: dict[str, Any] = {"seed": sa.BigInteger(), "selected_step": sa.Integer()} | dict.fromkeys(texts, sa.Text())
    return sa.Table(name, sa.MetaData(), *(sa.Column(column, types.get(column, JSON)) for column in columns))


def _page(jobs: sa.Table, after: str) -> sa.Select[Any]:
    return sa.select(jobs).where(jobs.c.id > after).order_by(jobs.c.id).limit(BATCH)


def _request(job: sa.RowMapping) -> dict[str, Any]:
    """What was asked for: the columns hold it as it was understood, and the body what they lack."""
    body = job["request"] or {}
    return {
        **{column: job[column] for column in REQUEST},
        "text_limits": body.get("text_limits"),
        "method": _method(body.get("method") or {}),
        "seed": job["seed"],
    }


def _method(method: dict[str, Any]) -> dict[str, Any]:
    """The method with the tune mode written out that was the default then."""
    return {"tune": "prompt", **method} if method.get("type", "pouf") == "pouf" else method


def _result(row: sa.RowMapping) -> dict[str, Any]:
    """What is known of the result; a method is resolved once it says how many threads it uses."""
    method = row["method"] or {}
    return {"method": method if "threads" in method else None, **{column: row[column] for column in RESULT}}


def downgrade() -> None:
    raise NotImplementedError("Going back to an older version is not supported: restore a backup.")
