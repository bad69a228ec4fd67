"""Addresses: what messages show of them, and which are of this machine."""

from __future__ import annotations

import ipaddress
import re

import httpx


def without_password(address: httpx.URL | str) -> str:
    """An address without the user and password that it may hold; of a text that is none, without what may be one."""
    if isinstance(address, httpx.URL):
        return str(address.copy_with(userinfo=b""))
    return re.sub(r"^(\w+://)?.*@", r"\1", address)


def is_loopback(address: str) -> bool:
    """Whether an address is of this machine, which a proxy cannot reach."""
    host = httpx.URL(address).host
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
