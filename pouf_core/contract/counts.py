"""Counts in messages for people."""


def counted(count: int, one: str, many: str | None = None) -> str:
    """The count with its noun: `1 item`, `2,000 items`, `0 classes`; `many` where the plural is irregular."""
    return f"{count:,} {one if count == 1 else many or one + ('es' if one.endswith('s') else 's')}"
