"""A module run to its end in a process of its own, which has none of the service's secrets and ends with this one."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from types import MappingProxyType

from pouf_core.data.lifeline import tied
from pouf_core.data.limited_process import environment

_NOTHING: Mapping[str, str] = MappingProxyType({})


def run_tied(
    module: str, *arguments: str, seconds: float, given: bytes = b"", variables: Mapping[str, str] = _NOTHING
) -> subprocess.CompletedProcess[bytes]:
    """Run `python -m module`; returns its exit status with what it printed.

    Args:
        module: what is run.
        arguments: of its command line.
        seconds: after which the process is killed.
        given: its standard input.
        variables: of its environment, beside those of `limited_process.environment`.

    Raises:
        subprocess.TimeoutExpired: it took too long.
    """
    with tied(module, *arguments) as process:
        return subprocess.run(
            process.command,
            input=given,
            capture_output=True,
            pass_fds=process.pass_fds,
            env=environment() | dict(variables),
            start_new_session=True,
            timeout=seconds,
            check=False,
        )
