"""Jobs' processes that begin from a template: as good as ones started by themselves, and as well guarded."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from pouf_core.contract.method import ResolvedMethod
from pouf_core.contract.request import AdaptationRequest
from pouf_core.predictions.stored import open_predictions
from store.outages import never
from store.settings import Settings
from tests.row_fixtures import CLASSES, draw_picture
from tests.row_fixtures import ENDLESS as ENDLESS_METHOD
from tests.waiting import WAIT_SECONDS, command_of
from worker.batch_predictions.runner import CHILD
from worker.batch_predictions.spec import BatchSpec
from worker.shutdown import ShuttingDown
from worker.training.messages import JobSpec, Message, PredictedMessage, ProgressMessage, ResultMessage
from worker.training.process import ChildProcess
from worker.training.runner import run_job
from worker.training.template import BECOME, FORK
from worker.training.warm_start import WarmStart, warm_start_of

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="processes are copied on Linux")
TEMPLATE = "worker.training.template"
WEIGHTS = "adapter.safetensors"
ENDLESS = ENDLESS_METHOD["max_steps"]


def ready(warm: WarmStart, wait_for: Callable[..., Any]) -> WarmStart:
    warm.prepare()
    wait_for(warm.is_ready)
    return warm


@pytest.fixture(scope="module")
def kept() -> Iterator[WarmStart]:
    """A template that the tests share; what harms it is followed by another one."""
    warm = WarmStart(FORK, "pouf-lite")
    yield warm
    warm.close()


@pytest.fixture
def warm(kept: WarmStart, wait_for: Callable[..., Any]) -> WarmStart:
    return ready(kept, wait_for)


@pytest.fixture
def waiting(wait_for: Callable[..., Any]) -> Iterator[WarmStart]:
    """A template that becomes the one job that it is asked for."""
    warm = WarmStart(BECOME, "pouf-lite")
    yield ready(warm, wait_for)
    warm.close()


def specification_in(
    directory: Path, tune: str = "head", seed: int = 0, memory_bytes: int | None = None, steps: int = 2
) -> JobSpec:
    """A job over a few pictures, whose files lie in an empty directory; its threads are for PyTorch to choose."""
    pictures = {}
    for number in range(4):
        path = directory / f"{number}.png"
        path.write_bytes(draw_picture(number))
        pictures[hashlib.sha256(path.read_bytes()).hexdigest()] = path
    method = {"tune": tune, "max_steps": steps, "batch_size": 4, "selection": "last"}
    return JobSpec(
        job_id="job_1",
        fence=1,
        pictures=pictures,
        request=AdaptationRequest.of(class_names=CLASSES, method=method, seed=seed),
        device="cpu",
        threads=None,
        memory_bytes=memory_bytes,
        checkpoint_dir=directory / "checkpoints",
        checkpoint_seconds=1000,
        artifact_dir=directory / "artifact",
        evaluation_labels={},
    )


@pytest.fixture
def specification(tmp_path: Path) -> Callable[..., JobSpec]:
    """Jobs, each in a directory of its own."""

    def make(name: str, **values: Any) -> JobSpec:
        directory = tmp_path / name
        directory.mkdir()
        return specification_in(directory, **values)

    return make


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A template may take long to be made, and to answer."""
    monkeypatch.setattr("worker.training.warm_start.PREPARING_SECONDS", WAIT_SECONDS)
    monkeypatch.setattr("worker.training.warm_start.ANSWER_SECONDS", WAIT_SECONDS)


def start(specification: JobSpec, warm: WarmStart | None, check: Callable[[], None] = never) -> ChildProcess:
    folder = specification.artifact_dir.parent
    return ChildProcess.start(specification, folder / "work", folder / "log", warm, check=check)


def messages_of(child: ChildProcess) -> list[Message]:
    """All that a child reports; it is let go of then."""
    messages: list[Message] = []
    while not child.ended:
        messages += child.read(1)
    child.wait(WAIT_SECONDS)
    child.close()
    return messages


def outcome(specification: JobSpec, warm: WarmStart | None) -> tuple[bytes, int]:
    """The weights that a job gives, and the threads that it had."""
    messages = messages_of(start(specification, warm))
    assert isinstance(messages[-1], ResultMessage), (specification.artifact_dir.parent / "log").read_text()
    method = messages[-1].result.method
    assert isinstance(method, ResolvedMethod)
    return (specification.artifact_dir / WEIGHTS).read_bytes(), method.threads


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, int]:
    """What the job of these tests gives in a process started by itself."""
    return outcome(specification_in(tmp_path_factory.mktemp("alone")), None)


def started_by_itself(child: ChildProcess) -> bool:
    """Whether no template had part in it."""
    return "worker.training.child" in command_of(child.pid)


def template_of(child: ChildProcess) -> psutil.Process:
    """The template that a child is a copy of."""
    parent = psutil.Process(child.pid).parent()
    assert parent is not None
    assert TEMPLATE in command_of(parent.pid)
    return parent


@LINUX
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


@LINUX
def test_a_copied_process_gives_the_weights_of_one_started_by_itself_whatever_ran_before(
    warm: WarmStart, specification: Any, alone: tuple[bytes, int]
) -> None:
    another, _ = outcome(specification("another", tune="norm", seed=3), warm)
    assert another != alone[0]
    assert outcome(specification("copied"), warm) == alone


@pytest.mark.slow
@LINUX
def test_a_job_waits_for_a_template_that_is_being_made(specification: Any) -> None:
    warm = WarmStart(FORK, None)
    warm.prepare()
    child = start(specification("early"), warm)
    try:
        assert template_of(child)
    finally:
        child.close()
        warm.close()


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[WarmStart]:
    """A template that does not get ready."""
    warm = WarmStart(FORK, None)
    monkeypatch.setattr(warm, "_command", [sys.executable, "-c", "import time; time.sleep(3600)"])
    yield warm
    warm.close()


def test_a_job_that_waits_for_a_template_hears_that_it_is_to_stop(slow: WarmStart, specification: Any) -> None:
    def check() -> None:
        raise ShuttingDown

    slow.prepare()
    with pytest.raises(ShuttingDown):
        start(specification("stopped"), slow, check=check)


def test_a_template_that_never_gets_ready_is_not_waited_for_by_every_job(
    slow: WarmStart, specification: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.training.warm_start.PREPARING_SECONDS", 0.0)
    slow.prepare()
    monkeypatch.setattr("worker.training.warm_start.PREPARING_SECONDS", 3600.0)
    child = start(specification("late"), slow)
    assert started_by_itself(child)
    child.close()


@pytest.mark.slow
def test_a_process_that_waited_gives_the_weights_of_one_started_by_itself(
    waiting: WarmStart, specification: Any, wait_for: Any, alone: tuple[bytes, int]
) -> None:
    waited = specification("waited")
    child = start(waited, waiting)
    assert TEMPLATE in command_of(child.pid)
    assert os.getsid(child.pid) == child.pid
    assert isinstance(messages_of(child)[-1], ResultMessage)
    assert (waited.artifact_dir / WEIGHTS).read_bytes() == alone[0]
    wait_for(waiting.is_ready)  # another waits for the next job


@pytest.mark.slow
@LINUX
def test_a_job_whose_template_is_killed_goes_on_and_the_next_one_starts_by_itself(
    warm: WarmStart, specification: Any, wait_for: Any
) -> None:
    first = start(specification("first", steps=ENDLESS), warm)
    template = template_of(first)
    first.close()
    child = start(specification("copied"), warm)
    template.kill()
    assert isinstance(messages_of(child)[-1], ResultMessage)
    following = start(specification("following", steps=ENDLESS), warm)
    wait_for(lambda: started_by_itself(following))
    following.close()
    wait_for(warm.is_ready)
    third = start(specification("third", steps=ENDLESS), warm)
    assert template_of(third).pid != template.pid
    third.close()


@pytest.mark.slow
@LINUX
def test_a_template_that_does_not_answer_costs_no_job(
    warm: WarmStart, specification: Any, wait_for: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = start(specification("first", steps=ENDLESS), warm)
    template = template_of(first)
    first.close()
    template.suspend()
    monkeypatch.setattr("worker.training.warm_start.ANSWER_SECONDS", 0.3)
    second = start(specification("second", steps=ENDLESS), warm)
    wait_for(lambda: started_by_itself(second))
    assert not template.is_running()
    wait_for(lambda: any(isinstance(message, ProgressMessage) for message in second.read(1)))
    second.close()


@LINUX
def test_a_killed_copy_is_told_and_its_group_is_its_own(warm: WarmStart, specification: Any, wait_for: Any) -> None:
    child = start(specification("copied", steps=ENDLESS), warm)
    template = template_of(child)
    assert os.getsid(child.pid) == child.pid != os.getsid(template.pid)
    os.kill(child.pid, signal.SIGKILL)
    messages_of(child)
    assert child.close() == -signal.SIGKILL
    assert template.is_running()
    wait_for(lambda: not psutil.pid_exists(child.pid))


@LINUX
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


@LINUX
def test_a_copy_may_take_the_memory_of_its_job_beside_what_it_shares(warm: WarmStart, specification: Any) -> None:
    assert outcome(specification("copied", memory_bytes=400 * 2**20), warm)


@LINUX
def test_template_and_copy_end_with_the_worker(
    context: Any, add_ready_dataset: Any, add_job: Any, database: Any, wait_for: Any
) -> None:
    job_id = add_job(add_ready_dataset(2), ENDLESS_METHOD)
    worker = os.fork()
    if worker == 0:
        database.engine.dispose(close=False)
        warm = WarmStart(FORK, "pouf-lite")
        ready(warm, wait_for)
        run_job(context, job_id, warm_start=warm)
        os._exit(0)

    def family() -> list[psutil.Process]:
        found = psutil.Process(worker).children(recursive=True)
        return found if len(found) == 2 else []

    template, child = sorted(wait_for(family), key=lambda found: found.create_time())
    os.kill(worker, signal.SIGKILL)
    os.waitpid(worker, 0)
    wait_for(lambda: not template.is_running() and not child.is_running())


def test_a_template_with_a_second_thread_or_with_other_weights_is_unfit(tmp_path: Path) -> None:
    weights_file = tmp_path / "weights"
    code = (
        "import sys, threading\n"
        "from pathlib import Path\n"
        "from worker.training.prepared import Template, stamps\n"
        "template = Template('pouf-lite')\n"
        "print(template.unfit())\n"
        "thread = threading.Thread(target=(end := threading.Event()).wait)\n"
        "thread.start()\n"
        "print(template.unfit())\n"
        "end.set()\n"
        "while template.unfit():\n"
        "    thread.join()\n"
        "template.files.update(stamps([Path(sys.argv[1])]))\n"
        "print(template.unfit())\n"
        "Path(sys.argv[1]).write_bytes(b'other')\n"
        "print(template.unfit())\n"
    )
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-c", code, str(weights_file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    fit, threads, still_fit, changed = done.stdout.splitlines()
    assert (fit, still_fit) == ("None", "None")
    assert "thread" in threads
    assert "changed" in changed


def test_an_operator_may_do_without(tmp_path: Path) -> None:
    assert warm_start_of(Settings(data_dir=tmp_path, device="cpu", warm_start=False)) is None
    assert warm_start_of(Settings(data_dir=tmp_path, device="cpu")) is not None


def test_where_a_gpu_may_be_no_process_is_copied(tmp_path: Path) -> None:
    warm = warm_start_of(Settings(data_dir=tmp_path, device="cuda"))
    assert warm is not None
    assert warm.mode == BECOME
