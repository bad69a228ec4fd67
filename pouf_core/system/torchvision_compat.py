"""Make torchvision importable beside a torch build without its compiled operators.

The wheels of torchvision on package indexes are built against CUDA builds of torch. Beside a CPU-only torch
their compiled operators do not load, and importing torchvision fails while it describes two of them
(`nms` and `qnms`). Only the pure-Python transforms are used here, so declaring the two schemas is enough.
"""

from __future__ import annotations

import importlib
import sys
import threading

import torch

_MISSING_OPERATOR = "torchvision::nms does not exist"
_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_importing = threading.Lock()
_declared: list[torch.library.Library] = []  # the declarations live only as long as this object


def ensure_torchvision_imports() -> None:
    """Import torchvision, declaring its missing operator schemas first where that is needed.

    Must run before any module that imports torchvision (open_clip, timm). Idempotent, and safe in several threads.

    Raises:
        ImportError, RuntimeError: torchvision is missing or broken in another way.
    """
    with _importing:
        try:
            importlib.import_module("torchvision")
        except RuntimeError as error:
            if _MISSING_OPERATOR not in str(error):
                raise
            for name in [name for name in list(sys.modules) if name.split(".")[0] == "torchvision"]:
                del sys.modules[name]
            library = torch.library.Library("torchvision", "DEF")
            for schema in _SCHEMAS:
                library.define(schema)
            _declared.append(library)
            importlib.import_module("torchvision")
