"""How many files the API's process may have open, connections among them."""

import resource

#: What comes at once before it can be refused, 2,048 connections (uvicorn's backlog), and all else, with room to spare.
WANTED = 8192


def allow_open_files() -> None:
    """Raise this process's own limit towards what is wanted, as far as the system's lets it.

    Systems begin with 256 or 1,024. Where there are no more, no connection can be accepted, not even to refuse it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
