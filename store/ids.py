"""Identifiers: a prefix that names the resource and a time-ordered UUIDv7."""

import uuid_utils


def new_id(prefix: str) -> str:
    """Return e.g. ``job_0198c0ffee…`` for ``new_id("job")``; ids made later sort later."""
    return f"{prefix}_{uuid_utils.uuid7().hex}"
