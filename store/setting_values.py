"""How settings that are lists are written, and what entries match."""


def split_entries(value: object) -> object:
    """Return the entries of a text, separated by commas; anything else as it is."""
    return [entry.strip() for entry in value.split(",") if entry.strip()] if isinstance(value, str) else value


def matches_entry(name: str, entry: str) -> bool:
    """Tell whether a name is the entry, or begins as it does before its final ``*`` and goes nowhere up from there."""
    if not entry.endswith("*"):
        return name == entry
    start = entry.removesuffix("*")
    return name.startswith(start) and ".." not in name.removeprefix(start).split("/")
