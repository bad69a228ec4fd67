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
import os
import select
import signal
import socket
import sys
import traceback

from pouf_core.system.memory_limit import data_bytes
from worker.training.asked_job import Job, receive
from worker.training.prepared import Template

FORK, BECOME = "fork", "become"
#: The module that adapts.
TRAINING = "worker.training.child"
READY = b"ready\n"


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
