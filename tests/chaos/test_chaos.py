"""The chaos suite in small; `make chaos` is the same in large."""

import pytest

from tests.chaos.run import Options, run


@pytest.mark.timeout(1200)
def test_after_some_faults_no_job_is_lost_made_twice_or_different(tmp_path):
    # This seed draws six kinds, among them killed and stopped train workers, a killed API and a wiped broker.
    options = Options(faults=6, jobs=3, seed=195, users=3, gap_seconds=1.5, without=("broker down for a minute",))
    report = run(options, tmp_path)
    assert report.flawless, report.table()
    assert report.injected == options.faults
    assert report.equal == report.submitted >= options.jobs
