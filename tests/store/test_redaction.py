from pathlib import Path

import pytest

from store.redaction import redact_paths
from store.settings import Settings


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("'/srv/pouf/storage/a.npy' is damaged", "'…/storage/a.npy' is damaged"),
        ("it is below file:///srv/pouf.", "it is below file://…."),
        ("photos/srv/pouf/a.jpg is no picture", "photos/srv/pouf/a.jpg is no picture"),
        ("/srv/pouf-2/a.jpg and /srv/poufs", "/srv/pouf-2/a.jpg and /srv/poufs"),
    ],
)
def test_directories_of_the_installation_are_hidden_and_names_that_hold_one_are_not(message: str, shown: str) -> None:
    assert redact_paths(message, Settings(data_dir=Path("/srv/pouf"))) == shown
