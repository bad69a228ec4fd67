"""Which paths are pages for people; every other path answers programs."""

import re

_PAGES = re.compile(r"/|/(datasets|guide|jobs|keys|models|service|sign-in|sign-out|webhooks)(/.*)?")


def is_page(path: str) -> bool:
    """Tell whether people look at what is at `path`: its errors are pages, too."""
    return _PAGES.fullmatch(path) is not None
