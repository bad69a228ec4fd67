"""What metrics count."""

from sqlalchemy import Double
from sqlalchemy.orm import Mapped, mapped_column

from store.tables.base import Base, BigInt, Id


class Observation(Base):
    """Events of one kind: how many, and what they took together; see `store.observations`.

    Rows are only added, by whoever makes the events happen, so that nobody waits for anybody. `label` tells a metric's
    series apart, `bucket` is the upper bound of what each event took, empty where only a total is kept.
    """

    __tablename__ = "observations"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    metric: Mapped[str] = mapped_column(Id)
    label: Mapped[str]
    bucket: Mapped[str] = mapped_column(Id)
    events: Mapped[int] = mapped_column(BigInt)
    total: Mapped[float] = mapped_column(Double)
