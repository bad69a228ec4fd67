"""Where webhooks may go: public addresses, and those networks that the operator allows."""

import ipaddress
import socket
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
#: Where clouds tell their machines secrets, outside the ranges that are private anyway (Azure, Oracle).
METADATA = tuple(map(ipaddress.ip_network, ("168.63.129.16/32", "192.0.0.0/24")))
MAX_URL = 2000


class TargetRefused(Exception):
    """Webhooks may not go to the URL or address; the message says why."""


def check_url(url: str, allowed: Sequence[Network]) -> None:
    """Refuse a URL by what it says alone; raises `TargetRefused`."""
    parts = _parse(url)
    _check_parts(parts)
    _check_host(parts.hostname or "", allowed)


def _parse(url: str) -> SplitResult:
    if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise TargetRefused(f"A URL is at most {MAX_URL} printable ASCII characters.")
    try:
        parts = urlsplit(url)
        _ = parts.port  # read for its error
    except ValueError as error:
        raise TargetRefused(f"This is no URL: {error}.") from error
    return parts


def _check_parts(parts: SplitResult) -> None:
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise TargetRefused("Give an http:// or https:// URL.")
    if parts.port == 0:
        raise TargetRefused("Port 0 cannot be connected to.")
    if parts.username is not None or parts.password is not None:
        raise TargetRefused("User names and passwords do not belong in the URL: verify the signature instead.")
    if parts.fragment:
        raise TargetRefused("A fragment (#…) is never sent.")


def _check_host(host: str, allowed: Sequence[Network]) -> None:
    address = _literal_address(host)
    if address is not None:
        check_address(address, allowed)
    elif not allowed and f".{host.rstrip('.')}".endswith(".localhost"):
        raise TargetRefused("localhost is this machine, which webhooks may not go to.")


def resolve(host: str, port: int, allowed: Sequence[Network]) -> str:
    """Return an address of the host to connect to; raises `TargetRefused` if any of its addresses is not allowed.

    The caller connects to what was checked here: a second look-up might give another address.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise TargetRefused(f"The host cannot be resolved: {error}.") from error
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    if not addresses:
        raise TargetRefused("The host has no address.")
    for address in addresses:
        check_address(address, allowed)
    return str(addresses[0])


def check_address(address: Address, allowed: Sequence[Network]) -> None:
    """Raise `TargetRefused` unless the address is public or in an allowed network."""
    real = _embedded(address)
    if any(real.version == network.version and real in network for network in allowed):
        return
    if not real.is_global or real.is_multicast or real.is_reserved or _is_internal(real):
        raise TargetRefused(
            f"{address} is not a public address; the operator allows others with POUF_WEBHOOK_ALLOWED_NETWORKS."
        )


def _is_internal(address: Address) -> bool:
    """Tell what `is_global` does not: site-local addresses, and those of metadata."""
    if isinstance(address, ipaddress.IPv6Address):
        return address.is_site_local
    return any(address in network for network in METADATA)


def _embedded(address: Address) -> Address:
    """The IPv4 address that an IPv6 address leads to, if it is of that kind."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _literal_address(host: str) -> Address | None:
    """The address that the host is written as, if it is not a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        # forms that resolvers understand as well: 127.1, 0x7f000001, 2130706433
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None
