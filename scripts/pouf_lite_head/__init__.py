"""Training of `pouf-lite`'s projection head, in parts: pictures, augmentation, features, captions, fitting."""

from pouf_core.system.torchvision_compat import ensure_torchvision_imports

ensure_torchvision_imports()  # before the parts import open_clip and timm
