"""The chaos suite in small; `make test-slow` runs more of it, and `make chaos` the same in large."""

from dataclasses import replace

import pytest

from tests.chaos.run import Options, run
from tests.postgres_server import find_initdb

#: What hurts processes, the broker and the clock, and where the data lies.
FEW = ("kill job process", "kill train worker", "wipe broker", "clock moved", "storage away")
ANYWHERE = ("kill job process", "kill API", "stop train worker", "wipe broker", "broker full", "clock moved")
ON_SQLITE = ("database locked", "storage away")
ON_SERVERS = ("kill train worker", "database silent", "database connections taken", "storage silent")


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "options",
    [
        pytest.param(Options(only=FEW, train_workers=1), id="few"),
        pytest.param(Options(only=(*ANYWHERE, *ON_SQLITE)), id="sqlite", marks=pytest.mark.slow),
        pytest.param(Options(only=ON_SERVERS, postgres=True, s3=True), id="postgresql-and-s3", marks=pytest.mark.slow),
    ],
)
def test_after_some_faults_no_job_is_lost_made_twice_or_different(options, tmp_path):
    if options.postgres and find_initdb() is None:
        pytest.skip("PostgreSQL's server is not installed (Debian: apt install postgresql)")
    options = replace(options, faults=len(options.only), jobs=3, users=3, gap_seconds=1.0)
    report = run(options, tmp_path)
    assert report.flawless, report.table()
    assert report.injected == options.faults
    assert report.equal == report.submitted >= options.jobs
