"""The documentation's table of settings."""

from store.settings import Settings


def settings_table() -> str:
    """Return the rows of a markdown table: variable, default, meaning."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for name in _names():
        field = Settings.model_fields[name]
        rows.append(f"| `POUF_{name.upper()}` | {_shown_default(field.default)} | {field.description} |")
    return "\n".join(rows) + "\n"


def _names() -> list[str]:
    """The settings' own first, since they come first to readers, and then those of their parts."""
    own = [name for name in Settings.model_fields if name in Settings.__annotations__]
    return own + [name for name in Settings.model_fields if name not in own]


def _shown_default(value: object) -> str:
    if value in (None, "", []):
        return "–"
    if isinstance(value, list):
        value = ",".join(value)
    return f"`{value}`"
