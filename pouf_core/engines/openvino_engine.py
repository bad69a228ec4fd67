"""OpenVINO on a CPU: a network is traced, converted, and compiled for the processor that it runs on."""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pouf_core.contract.engine import EngineName

logger = logging.getLogger(__name__)

MODEL = "model.xml"
_HINTS = {torch.float32: "f32", torch.bfloat16: "bf16"}
_TELEMETRY: Any = None


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
        model = openvino.convert_model(traced, example_input=example, input=[openvino.PartialShape(list(shape))])
    openvino.save_model(model, folder / MODEL, compress_to_fp16=False)


class OpenVinoEngine:
    """A converted network, compiled.

    Args:
        folder: what `convert` wrote.
        precision: float32, or bfloat16 where the processor has it.
        threads: CPU threads.
    """

    name: EngineName = "openvino"

    def __init__(self, folder: Path, precision: torch.dtype, threads: int) -> None:
        self._openvino = load_openvino()
        settings = {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],  # else it takes bfloat16 wherever there is one
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": "1",
            "INFERENCE_NUM_THREADS": threads,
            "ENABLE_CPU_PINNING": False,  # several processes would be pinned to the same cores
        }
        self._compiled = self._openvino.Core().compile_model(folder / MODEL, "CPU", settings)
        self._request = self._compiled.create_infer_request()
        self._one_at_a_time = threading.Lock()  # each call has all threads

    @property
    def version(self) -> str:
        """OpenVINO's release."""
        return str(self._openvino.__version__).split("-")[0]

    def __call__(self, inputs: Tensor) -> Tensor:
        """Features [B, d] of B inputs.

        Raises:
            RuntimeError: memory ran out, for one.
        """
        values = inputs.detach().contiguous().numpy()
        with self._one_at_a_time:
            try:
                self._request.set_input_tensor(self._openvino.Tensor(values, shared_memory=True))
                self._request.infer()
                return torch.from_numpy(self._request.get_output_tensor(0).data.copy())
            except RuntimeError:
                self._request = self._compiled.create_infer_request()
                raise
