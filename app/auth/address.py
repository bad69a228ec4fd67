"""Which addresses the service may be reached at while there are no API keys."""

import ipaddress

HOW_TO_MAKE_A_KEY = "pouf keys create --name NAME"


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches a server that listens on `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def reached_from_elsewhere(server: tuple[str, int | None] | None) -> bool:
    """Tell whether a connection came to an address of the network; `server` is that of the ASGI scope.

    A Unix socket's path is no such address.
    """
    if server is None:
        return False
    try:
        return not ipaddress.ip_address(server[0]).is_loopback
    except ValueError:
        return False
