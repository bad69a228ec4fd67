"""`pouf prune` at a running service."""

from cli.remote.connection import connected


def prune_there(url: str, *, dry_run: bool) -> None:
    """Let a service remove what is too old, or count it, and print how many of each kind."""
    from cli.maintenance import tell_pruned

    with connected(url) as client:
        found = client.prune(dry_run=dry_run)
    tell_pruned({what.replace("_", " "): count for what, count in found.items()}, dry_run=dry_run)
