"""Base models that classify by cosine: pairs of an image and a text encoder, and sentence encoders."""

from pouf_core.system.torchvision_compat import ensure_torchvision_imports

ensure_torchvision_imports()  # before any module of this package imports torchvision, open_clip or timm
