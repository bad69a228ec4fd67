"""How many processes run the tests."""

from types import SimpleNamespace

import pytest

from tests.conftest import pytest_xdist_auto_num_workers


@pytest.mark.parametrize(
    ("asked", "said", "is_left_to_xdist"), [("auto", "", False), ("auto", "3", True), ("logical", "", True)]
)
def test_only_what_nobody_says_is_decided_here(monkeypatch, asked, said, is_left_to_xdist):
    monkeypatch.setenv("PYTEST_XDIST_AUTO_NUM_WORKERS", said)
    found = pytest_xdist_auto_num_workers(SimpleNamespace(getoption={"numprocesses": asked}.get))
    assert (found is None) == is_left_to_xdist
