from pathlib import Path

import pytest

from pouf_core.contract.exports import ExportOptions, ExportOutcome, ExportTask
from pouf_core.data.asked_process import Unanswered, ask
from tests.waiting import WAIT_SECONDS


def test_the_end_of_what_a_process_said_that_gave_no_answer_is_told():
    task = ExportTask(artifact=Path("a"), target=Path("b"), options=ExportOptions(format="numpy"))
    with pytest.raises(Unanswered, match="No module named there_is_none") as caught:
        ask("there_is_none", task, ExportOutcome, seconds=WAIT_SECONDS, variables={})
    assert caught.value.status == 1
