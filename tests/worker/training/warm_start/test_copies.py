"""Processes copied from the template do what others do, and are as well guarded."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from pouf_core.predictions.stored import open_predictions
from tests.worker.training.warm_start.started import ENDLESS, LINUX, messages_of, outcome, start, template_of
from worker.batch_predictions.runner import CHILD
from worker.batch_predictions.spec import BatchSpec
from worker.training.messages import PredictedMessage, ResultMessage
from worker.training.process import ChildProcess
from worker.training.warm_start import WarmStart

pytestmark = LINUX


def test_a_batch_prediction_begins_from_the_template_too_and_gives_what_the_job_gave(
    warm: WarmStart, specification: Any, tmp_path: Path
) -> None:
    job = specification("job").model_copy(update={"predictions_dir": tmp_path / "of the job"})
    assert isinstance(messages_of(start(job, warm))[-1], ResultMessage)
    shared = {name: getattr(job, name) for name in ("fence", "pictures", "device", "threads")}
    folders = {"artifact": job.artifact_dir, "parts_dir": tmp_path / "parts", "predictions_dir": tmp_path / "batch"}
    batch = BatchSpec(batch_id="bat_1", **shared, **folders)
    child = ChildProcess.start(batch, tmp_path / "work", tmp_path / "log", warm, CHILD)
    template_of(child)
    messages = messages_of(child)
    assert isinstance(messages[-1], PredictedMessage), (tmp_path / "log").read_text()
    made, known = (open_predictions(tmp_path / name).records for name in ("batch", "of the job"))
    assert (made["label"] == known["label"]).all()
    assert made["probability"] == pytest.approx(known["probability"], abs=1e-4)


def test_a_killed_copy_is_told_and_its_group_is_its_own(warm: WarmStart, specification: Any, wait_for: Any) -> None:
    child = start(specification("copied", steps=ENDLESS), warm)
    template = template_of(child)
    assert os.getsid(child.pid) == child.pid != os.getsid(template.pid)
    os.kill(child.pid, signal.SIGKILL)
    messages_of(child)
    assert child.close() == -signal.SIGKILL
    assert template.is_running()
    wait_for(lambda: not psutil.pid_exists(child.pid))


def test_a_copy_holds_nothing_of_the_template_s_or_of_other_jobs(
    warm: WarmStart, specification: Any, wait_for: Any
) -> None:
    children = [start(specification(name, steps=ENDLESS), warm) for name in ("first", "second")]

    def held(child: ChildProcess) -> set[str]:
        targets = set()
        for link in Path(f"/proc/{child.pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                targets.add(str(link.readlink()))
        return targets

    for child in children:
        wait_for(lambda child=child: not any(target.startswith("socket:") for target in held(child)))
    shared = held(children[0]) & held(children[1])
    assert not [target for target in shared if target.startswith("pipe:")]
    for child in children:
        child.close()


def test_a_copy_may_take_the_memory_of_its_job_beside_what_it_shares(warm: WarmStart, specification: Any) -> None:
    assert outcome(specification("copied", memory_bytes=400 * 2**20), warm)
