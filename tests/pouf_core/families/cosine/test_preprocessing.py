"""Preprocessing in NumPy equals torchvision's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from pouf_core.families.cosine.open_clip_loading import open_clip as open_clip  # first: it makes torchvision importable
from pouf_core.families.cosine.preprocessing import in_numpy

from open_clip.transform import PreprocessCfg, image_transform_v2  # isort: skip
from torchvision import transforms  # isort: skip

OPENAI = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))


@pytest.mark.parametrize(("mean", "std"), [OPENAI, ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))])
@pytest.mark.parametrize("size", [(300, 200), (31, 77), (224, 224)])
def test_the_pixels_are_the_same_to_the_bit(mean, std, size) -> None:
    transform = image_transform_v2(PreprocessCfg(size=224, mean=mean, std=std), is_train=False)
    changed = in_numpy(transform)
    assert changed is not transform
    random = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    found = changed(Image.fromarray(random))
    assert found.is_contiguous()
    assert torch.equal(found, transform(Image.fromarray(random)))


def test_other_transforms_stay_as_they_are() -> None:
    for steps in ([transforms.ToTensor()], [transforms.ToTensor(), transforms.Normalize([0.5], [0.5])], []):
        transform = transforms.Compose(steps)
        assert in_numpy(transform) is transform
    assert in_numpy(transforms.ToTensor()).__class__ is transforms.ToTensor
