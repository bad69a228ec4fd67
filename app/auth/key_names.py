"""What a key may be called."""

LONGEST_NAME = 200


def is_key_name(name: str) -> bool:
    """Tell whether a key of that name can be recognised in a list: 1 to 200 printable characters, not only blanks."""
    return bool(name.strip()) and len(name) <= LONGEST_NAME and name.isprintable()
