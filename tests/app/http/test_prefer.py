import pytest

from app.http.prefer import wait_seconds


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("wait=5", 5),
        ("Wait = 5", 5),
        ('wait="7"', 7),
        ("respond-async, wait=10", 10),
        ("wait=10;x=1", 10),
        ("wait=31", 30),
        ("wait=99999999999", 30),
        ("wait=-1", 0),
        ("wait=soon", 0),
        ("await=5", 0),
    ],
)
def test_the_seconds_to_wait_are_read_and_bounded(header, seconds):
    assert wait_seconds(header) == seconds
