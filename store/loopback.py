"""Which hosts are this machine, and nobody else's."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Tell whether a host is `localhost` or an address of loopback (RFC 1122, section 3.2.1.3; RFC 4291, 2.5.3)."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
