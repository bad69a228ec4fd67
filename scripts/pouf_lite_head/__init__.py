"""Training of `pouf-lite`'s projection head, in parts: pictures, augmentation, features, captions, fitting."""
