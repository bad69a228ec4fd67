"""What all tables share: column types, naming, and leases."""

from datetime import UTC, datetime
from typing import Generic, TypeVar

from pydantic import BaseModel, JsonValue, ValidationError
from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Integer, MetaData, String, Text, TypeDecorator
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from store.unreadable import what_can_be_read

DocumentT = TypeVar("DocumentT", bound=BaseModel)


class UtcDateTime(TypeDecorator[datetime]):
    """A timezone-aware UTC datetime, on SQLite too, which stores no timezone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime given to the database")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class DocumentJson(TypeDecorator[DocumentT], Generic[DocumentT]):
    """A document of the contract, validated whenever it is read and stored as JSON.

    One that cannot be validated becomes the `unreadable` document of what can be read of it.
    """

    impl = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
    cache_ok = True

    def __init__(self, model: type[DocumentT], unreadable: type[DocumentT]) -> None:
        super().__init__()
        self.model = model
        self.unreadable = unreadable

    def process_bind_param(self, value: DocumentT | None, dialect: Dialect) -> dict[str, JsonValue] | None:
        return None if value is None else value.model_dump(mode="json")

    def process_result_value(self, value: dict[str, JsonValue] | None, dialect: Dialect) -> DocumentT | None:
        if value is None:
            return None
        try:
            return self.model.model_validate(value)
        except ValidationError:
            return what_can_be_read(value, self.unreadable)


Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
BigInt = BigInteger().with_variant(Integer(), "sqlite")
Id = String(64)

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {datetime: UtcDateTime(), list[str]: Json, str: Text()}


class Leased:
    """Who works on the row and until when; `fence` grows with every claim and guards every later write."""

    lease_owner: Mapped[str | None]
    lease_expires_at: Mapped[datetime | None]
    fence: Mapped[int] = mapped_column(default=0, server_default="0")
