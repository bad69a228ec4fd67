import resource

import pytest

from app.http.open_files import WANTED, allow_open_files


@pytest.fixture
def limits():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_api_may_open_as_many_files_as_it_wants_or_the_system_lets_it(limits):
    _, most = limits
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, most))
    allow_open_files()
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (min(WANTED, most), most)


def test_a_higher_limit_stays(limits):
    _, most = limits
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    allow_open_files()
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (most, most)
