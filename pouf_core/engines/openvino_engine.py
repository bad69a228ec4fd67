"""OpenVINO on a CPU: a network is traced, converted, and compiled for the processor that it runs on."""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from pouf_core.contract.engine import EngineName

logger = logging.getLogger(__name__)

MODEL = "model.xml"
_HINTS = {torch.float32: "f32", torch.bfloat16: "bf16"}
_PRECISIONS = {hint: precision for precision, hint in _HINTS.items()}
_TELEMETRY: Any = None
_AT_ONCE = 4  # items of a stream: more have left the processor's cache when the next layer needs them


def load_openvino() -> Any:
    """The module `openvino`.

    Raises:
        ImportError: it is not installed.
    """
    # It reports its use over the network unless this module of its own is missing.
    sys.modules.setdefault("openvino_telemetry", _TELEMETRY)
    import openvino

    return openvino


@cache
def name_and_version() -> str:
    """As of a compiled network, without importing OpenVINO."""
    try:
        return f"{OpenVinoEngine.name} {version('openvino')}"
    except PackageNotFoundError:
        return OpenVinoEngine.name


def processor() -> str:
    """What compiled models depend on: OpenVINO's build, the processor's name and what it can compute."""
    openvino = load_openvino()
    core = openvino.Core()
    abilities = sorted(core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"))
    return f"{openvino.__version__} {core.get_property('CPU', 'FULL_DEVICE_NAME')} {abilities}"


def convert(network: nn.Module, example: Tensor, shape: Sequence[int], folder: Path) -> None:
    """Write a network as `model.xml` and `model.bin`, in float32.

    Args:
        network: one tensor to one tensor, in evaluation mode.
        example: an input, to trace it with.
        shape: of inputs; -1 for what may vary.
        folder: an empty one.
    """
    openvino = load_openvino()
    with torch.inference_mode(False), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tracing, whose result is compared with the network's
        traced = torch.jit.trace(network, example, check_trace=False, strict=False)
        with _logging_left_alone():
            model = openvino.convert_model(traced, example_input=example, input=[openvino.PartialShape(list(shape))])
    openvino.save_model(model, folder / MODEL, compress_to_fp16=False)


@contextmanager
def _logging_left_alone() -> Iterator[None]:
    """OpenVINO's converter silences the whole process below errors, and sets the root logger back to what it was when
    it began; other threads log meanwhile.
    """
    from openvino.tools.ovc import convert, convert_impl

    silence, restore = convert_impl.init_logger, convert.restore_logger_state
    convert_impl.init_logger = convert.restore_logger_state = _change_nothing
    try:
        yield
    finally:
        convert_impl.init_logger, convert.restore_logger_state = silence, restore


def _change_nothing(*_: object) -> None:
    pass


class OpenVinoEngine:
    """A converted network, compiled.

    Args:
        folder: what `convert` wrote.
        precision: float32, or bfloat16, for which a processor that lacks it computes in float32.
        threads: CPU threads.
        streams: into how many the threads are divided; parts of a batch go through each at the same time. Threads of
            one stream wait for each other in every layer.
        singly: items come one at a time too: such a one has all threads, by a second compiled network, which takes
            about as much memory again.
    """

    name: EngineName = "openvino"

    def __init__(
        self, folder: Path, precision: torch.dtype, threads: int, streams: int = 1, singly: bool = False
    ) -> None:
        self._openvino = load_openvino()
        self._together = self._compiled(folder, precision, threads, streams)
        self._alone = self._compiled(folder, precision, threads, 1) if singly and streams > 1 else self._together
        self._one_at_a_time = threading.Lock()  # each call has all threads

    @property
    def version(self) -> str:
        """OpenVINO's release."""
        return str(self._openvino.__version__).split("-")[0]

    @property
    def precision(self) -> torch.dtype:
        """What it was compiled for."""
        return self._together.precision

    def threads_of(self, count: int) -> int:
        """How many threads compute one of `count` items together."""
        return self._for(count).threads_each

    def __call__(self, inputs: Tensor) -> Tensor:
        """Features [B, d] of B inputs.

        Raises:
            RuntimeError: memory ran out, for one.
        """
        values = inputs.detach().contiguous().numpy()
        compiled = self._for(len(values))
        with self._one_at_a_time:
            try:
                return torch.from_numpy(np.concatenate(list(self._features(values, compiled))))
            except RuntimeError:
                compiled.renew()
                raise

    def _for(self, count: int) -> _Compiled:
        return self._alone if count == 1 else self._together

    def _compiled(self, folder: Path, precision: torch.dtype, threads: int, streams: int) -> _Compiled:
        settings = {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],  # else it takes bfloat16 wherever there is one
            "PERFORMANCE_HINT": "LATENCY" if streams == 1 else "THROUGHPUT",
            "NUM_STREAMS": str(streams),
            "INFERENCE_NUM_THREADS": threads,
            "ENABLE_CPU_PINNING": False,  # several processes would be pinned to the same cores
        }
        return _Compiled(self._openvino.Core().compile_model(folder / MODEL, "CPU", settings), streams)

    def _features(self, values: npt.NDArray[Any], compiled: _Compiled) -> Iterator[npt.NDArray[Any]]:
        """Of each part in order; a stream goes on with its next part while the others compute."""
        running: deque[Any] = deque()
        free = deque(compiled.requests)
        for part in compiled.parts(values):
            if not free:
                free.append(running.popleft())
                yield _output(free[0])
            request = free.popleft()
            request.set_input_tensor(self._openvino.Tensor(part, shared_memory=True))
            request.start_async()
            running.append(request)
        for request in running:
            yield _output(request)


class _Compiled:
    """A network compiled for so many streams, with a request for each; `precision` is what it computes in."""

    def __init__(self, network: Any, streams: int) -> None:
        self._network = network
        self._streams = streams
        self.precision = _PRECISIONS[network.get_property("INFERENCE_PRECISION_HINT").get_type_name()]
        self.renew()

    @property
    def threads_each(self) -> int:
        """Threads of a stream."""
        threads = int(self._network.get_property("INFERENCE_NUM_THREADS"))
        return threads // int(self._network.get_property("NUM_STREAMS"))

    def renew(self) -> None:
        """Begin with new requests: one that failed cannot be used again."""
        self.requests: list[Any] = [self._network.create_infer_request() for _ in range(self._streams)]

    def parts(self, values: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
        """What goes through a stream at a time."""
        size = len(values)
        if self._streams > 1:
            size = min(-(-size // self._streams), _AT_ONCE)
        return [values[start : start + size] for start in range(0, len(values), max(size, 1))] or [values]


def _output(request: Any) -> npt.NDArray[Any]:
    """A copy, which the request's next part does not overwrite."""
    request.wait()
    values: npt.NDArray[Any] = request.get_output_tensor(0).data.copy()
    return values
