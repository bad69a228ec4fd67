"""`pouf keys whoami`: whose key it is, and what of its limits is taken."""

from cli.remote.connection import Url, connected
from cli.remote.output import AsJson, print_fields, print_json


def whoami(url: Url = None, as_json: AsJson = False) -> None:
    """Ask a service whose key POUF_API_KEY is, what it may do, and what of its limits is taken."""
    with connected(url) as client:
        me = dict(client.me())
    if as_json:
        print_json(me)
    else:
        print_fields({name: value for name, value in me.items() if name != "object"})
