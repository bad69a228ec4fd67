"""What a worker asks of a template: a job with its pipes, one line of JSON over a socket."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
from dataclasses import dataclass

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
