"""The process that jobs' processes begin from, so that none waits for imports and the default base model.

`python -m worker.training.template CONTROL_FD MODE [BASE_MODEL]`

`fork`: each job is a copy of this process, in a session of its own. It has one thread, has computed nothing and opened
no connection, so a copy is as good as a process started for the job. `become`: for systems and devices where a copy is
not safe, this process turns into the one job that it is asked for.

The worker sends each job over the control socket, one line of JSON with the job's pipes (`worker.training.warm_start`).
This process ends when that socket does, which is when the worker ends, however it ends.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from pouf_core.system.memory_limit import data_bytes
from worker.training.child import Beginning

if TYPE_CHECKING:
    from pouf_core.families.interface import BaseModel

FORK, BECOME = "fork", "become"
#: The module that adapts.
TRAINING = "worker.training.child"
READY = b"ready\n"
LINE_BYTES = 1 << 16
#: What comes with a job: its standard input, its log, its pipe for messages, and a socket about its process.
JOB_FDS = 4


@dataclass(frozen=True)
class Job:
    """A job's process, or a batch prediction's: asked for, then running."""

    module: str
    spec_file: str
    stdin: int
    log: int
    messages: int
    about: socket.socket

    def tell(self, **facts: object) -> None:
        """Answer the worker, if it is still there."""
        with contextlib.suppress(OSError):
            self.about.sendall(json.dumps(facts).encode() + b"\n")

    def take_pipes(self) -> None:
        """Make the job's pipes this process's own."""
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(self.stdin, 0)
        os.dup2(self.log, 1)
        os.dup2(self.log, 2)
        os.close(self.stdin)
        os.close(self.log)
        self.about.close()
        os.set_inheritable(self.messages, True)  # for a job that starts over in a fresh process

    def close(self) -> None:
        """Let go of the pipes, which the job's process has now."""
        for descriptor in (self.stdin, self.log, self.messages):
            os.close(descriptor)


class Template:
    """What every job begins with: imports and the base model, and how many threads PyTorch would use.

    Args:
        base_model: name of the base model to load; None for none.

    Attributes:
        files: what the base model was loaded from, with sizes and times of change.
    """

    def __init__(self, base_model: str | None) -> None:
        import torch

        self._threads = torch.get_num_threads()
        torch.set_num_threads(1)
        from PIL import Image

        import pouf_core.adaptation.run
        import pouf_core.dataset_prediction  # noqa: F401 - what jobs and batch predictions import
        from pouf_core.adaptation.class_languages import language_identifier
        from pouf_core.artifact import model_card_template

        Image.preinit()
        model_card_template()
        language_identifier()

        self._fresh_random_state = torch.get_rng_state()
        self._base: BaseModel | None = None
        self.files: dict[Path, tuple[int, int]] = {}
        if base_model is not None:
            from pouf_core.families.loading import load_base_model
            from pouf_core.families.registry import family_of

            self.files = stamps(family_of(base_model).files())
            self._base = load_base_model(base_model)
            self._base.sha256  # noqa: B018 - computed once for all jobs
        gc.collect()
        gc.freeze()

    def unfit(self) -> str | None:
        """Why no job can begin from this process any more; None while one can."""
        if stamps(self.files) != self.files:
            return "the files of its base model have changed"
        if psutil.Process().num_threads() != 1:
            return "it has more than one thread"
        return None

    def run(self, job: Job, shared_bytes: int) -> int:
        """Be the job's process; returns its exit status."""
        import numpy as np
        import torch

        job.take_pipes()
        torch.set_num_threads(self._threads)
        np.random.seed()  # as in any new process; PyTorch's state is that of a new process already

        def base_of(name: str) -> BaseModel | None:
            if self._base is not None and self._base.description.name == name:
                return self._base
            self._base = None
            torch.set_rng_state(self._fresh_random_state)
            return None

        beginning = Beginning(base_of, shared_bytes)
        status: int = import_module(job.module).main(job.spec_file, str(job.messages), beginning=beginning)
        return status


class Server:
    """Starts jobs as copies of the template and tells the worker how each ended."""

    def __init__(self, control: socket.socket, template: Template) -> None:
        self._control = control
        self._template = template
        self._jobs: dict[int, Job] = {}
        self._ends: dict[int, int] = {}  # descriptor of a job's process, or of its socket, to its process id
        self._waiting = select.poll()
        self._waiting.register(control, select.POLLIN)

    def run(self) -> None:
        """Serve until the worker has let go of this template and of every job, as it does when it dies."""
        self._control.sendall(READY)
        serving = True
        while serving or self._jobs:
            for descriptor, _ in self._waiting.poll():
                if descriptor == self._control.fileno():
                    job = receive(self._control)
                    if job is not None:
                        self._start(job)
                        continue
                    serving = False
                    self._waiting.unregister(self._control)
                else:
                    self._attend(descriptor)

    def _start(self, job: Job) -> None:
        pid, reason = -1, self._template.unfit()
        if reason is None:
            try:
                pid = os.fork()
            except OSError as error:
                reason = f"no process is to be had ({error})"
        if pid == 0:
            self._become(job)
        job.close()
        if reason is not None:
            job.tell(refused=reason)
            job.about.close()
            return
        process = os.pidfd_open(pid)
        self._jobs[pid] = job
        for descriptor in (process, job.about.fileno()):
            self._ends[descriptor] = pid
            self._waiting.register(descriptor, select.POLLIN)

    def _become(self, job: Job) -> None:
        """The rest of the copied process's life."""
        status = 1
        try:
            os.setsid()
            self._control.close()
            for other in self._jobs.values():
                other.about.detach()
            for descriptor in self._ends:  # nothing of other jobs
                os.close(descriptor)
            job.tell(pid=os.getpid())  # now that it leads a group, which can be killed
            status = self._template.run(job, data_bytes())
        except BaseException:  # noqa: BLE001 - nothing may return into the template's own loop
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def _attend(self, descriptor: int) -> None:
        """A job's process has ended, or the worker has let go of it.

        An ended process is kept as it is until the worker lets go: its id, which the worker may signal, stays its own.
        """
        pid = self._ends.pop(descriptor)
        self._waiting.unregister(descriptor)
        job = self._jobs.get(pid)
        if job is None:
            os.close(descriptor)
        elif descriptor == job.about.fileno():
            kill_group(pid)
            os.kill(pid, signal.SIGKILL)  # one that does not lead its group yet
            os.waitpid(pid, 0)
            del self._jobs[pid]
            job.about.close()
        else:
            os.close(descriptor)
            job.tell(status=exit_status(pid))


def receive(control: socket.socket) -> Job | None:
    """The next job from the worker; None once it is gone."""
    line, descriptors, _, _ = socket.recv_fds(control, LINE_BYTES, JOB_FDS)
    if not line:
        return None
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    stdin, log, messages, about = descriptors
    module, spec_file = json.loads(line)
    return Job(module, spec_file, stdin, log, messages, socket.socket(fileno=about))


def can_watch_processes() -> bool:
    """Whether the end of a process can be waited for together with the worker's requests: Linux 5.3, not sandboxed."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True


def exit_status(pid: int) -> int:
    """How an ended process ended, as `subprocess` has it, without reaping it."""
    ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert ended is not None
    return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status


def kill_group(pid: int) -> None:
    """SIGKILL to a job's process and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def stamps(files: Sequence[Path] | dict[Path, tuple[int, int]]) -> dict[Path, tuple[int, int]]:
    """Size and time of change of each file; of one that is gone, zeros."""
    found = {}
    for path in files:
        try:
            status = path.stat()
            found[path] = status.st_size, status.st_mtime_ns
        except OSError:
            found[path] = 0, 0
    return found


def main(control_fd: str, mode: str, base_model: str = "") -> int:
    """Prepare, then serve."""
    control = socket.socket(fileno=int(control_fd))
    template = Template(base_model or None)
    if mode == FORK and can_watch_processes():
        Server(control, template).run()
        os._exit(0)  # without taking apart what was loaded
    control.sendall(READY)
    job = receive(control)
    if job is None:
        return 0
    job.tell(pid=os.getpid())
    control.close()
    return template.run(job, shared_bytes=0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
