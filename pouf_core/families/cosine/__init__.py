"""Base models, one file a family behind one interface."""

from pouf_core.system.torchvision_compat import ensure_torchvision_imports

ensure_torchvision_imports()  # before any module of this package imports torchvision, open_clip or timm
