"""Addresses in messages."""

from __future__ import annotations

import re

import httpx


def without_password(address: httpx.URL | str) -> str:
    """An address without the user and password that it may hold; of a text that is none, without what may be one."""
    if isinstance(address, httpx.URL):
        return str(address.copy_with(userinfo=b""))
    return re.sub(r"^(\w+://)?.*@", r"\1", address)
