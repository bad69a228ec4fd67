"""`python -m store.bucket` makes the bucket of POUF_STORAGE_URL once the storage answers: compose's profile `s3`."""

import os
import sys
import time
from collections.abc import Callable
from urllib.parse import urlsplit

WAIT_SECONDS = 120.0
PAUSE_SECONDS = 2.0
ADVICE = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be those of the storage at AWS_ENDPOINT_URL."


def make_bucket(bucket: str, make: Callable[[str], None], seconds: float = WAIT_SECONDS) -> str | None:
    """Make a bucket, trying again while the storage is not there yet; returns why there is none, None where there is.

    Args:
        bucket: its name.
        make: makes it, or raises an `OSError`; a `PermissionError` is not tried again.
        seconds: after which to give up.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            make(bucket)
            return None
        except PermissionError as error:
            return f"The storage refuses to make the bucket {bucket} ({error}). {ADVICE}"
        except OSError as error:
            if time.monotonic() > deadline:
                return f"The bucket {bucket} was not made within {seconds:g} s ({error}). {ADVICE}"
        time.sleep(PAUSE_SECONDS)


def main() -> None:
    """Make the bucket, or end with a line that says why not."""
    import fsspec
    from botocore.exceptions import BotoCoreError

    url = urlsplit(os.environ.get("POUF_STORAGE_URL", ""))
    if url.scheme != "s3" or not url.netloc:
        sys.exit(f"POUF_STORAGE_URL must be s3://BUCKET/PATH, not {url.geturl()!r}.")

    def make(bucket: str) -> None:
        try:
            fsspec.filesystem("s3", skip_instance_cache=True).makedirs(bucket, exist_ok=True)
        except BotoCoreError as error:  # of a connection
            raise OSError(str(error)) from error

    if reason := make_bucket(url.netloc, make):
        sys.exit(reason)


if __name__ == "__main__":
    main()
