"""The adaptation loop: steps, sampling, checkpoints, callbacks."""

from pouf_core.system.torchvision_compat import ensure_torchvision_imports

ensure_torchvision_imports()  # before any module of this package imports torchvision, open_clip or timm
