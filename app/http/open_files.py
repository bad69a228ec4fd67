"""How many files the API's process may have open, connections among them."""

import resource

#: What comes at once before it can be refused, 2,048 connections, and all else, with room to spare.
WANTED = 8192
USUAL_BACKLOG = 2048
#: Connections come in rounds of a backlog, and about four rounds are under way before the first is refused.
_SHARE_OF_A_ROUND = 16


def allow_open_files() -> None:
    """Raise this process's own limit towards what is wanted, as far as the system's lets it.

    Systems begin with 256 or 1,024. Where there are no more, no connection can be accepted, not even to refuse it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def backlog() -> int:
    """Return uvicorn's `--backlog`: its own, or less where the system lets the API open fewer files than it wants.

    Connections above the limit on them have to be accepted to be refused.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    is_few = hard != resource.RLIM_INFINITY and hard < WANTED
    return max(hard // _SHARE_OF_A_ROUND, 1) if is_few else USUAL_BACKLOG
