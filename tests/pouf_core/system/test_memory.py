"""Running out of memory is recognised in the words of every library that allocates."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pouf_core.data.kept_pixels import KeptPixels
from pouf_core.system.memory import is_out_of_memory, release_memory, releases, room_for_pictures, text_memory
from pouf_core.system.runtime import encoder_precision

WORDINGS = [
    "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 79.15 GiB",
    "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported at some other API call",
    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
    "cuFFT error: CUFFT_ALLOC_FAILED",
    "cusolver error: CUSOLVER_STATUS_ALLOC_FAILED, when calling `cusolverDnCreate(handle)`",
    "HIP out of memory. Tried to allocate 2.00 GiB",
    "HIP error: out of memory",
    "HIP error: hipErrorOutOfMemory",
    "CUDA error: HIPBLAS_STATUS_ALLOC_FAILED when calling `hipblasCreate(handle)`",
    "miopenStatusAllocFailed",
    "MPS backend out of memory (MPS allocated: 7.93 GB, other allocations: 1.10 GB, max allowed: 9.07 GB).",
    "XPU out of memory. Tried to allocate 1.00 GiB",
    "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate",
    "[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes.",
    "mmap: Cannot allocate memory (12)",
    "could not create a primitive",
    "could not create a memory object",
    "Exception from src/inference: Failed to allocate 9437184 bytes of memory",
]
OTHERS = [
    "CUDA error: device-side assert triggered",
    "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED",
    "CUDA error: CUBLAS_STATUS_INVALID_VALUE when calling `cublasSgemm`",
    "Expected all tensors to be on the same device",
    "mat1 and mat2 shapes cannot be multiplied (3x4 and 5x6)",
]


@pytest.mark.parametrize("words", WORDINGS)
def test_lack_of_memory_is_recognised_by_its_words(words: str) -> None:
    assert is_out_of_memory(RuntimeError(words))


@pytest.mark.parametrize("words", OTHERS)
def test_other_errors_are_not_taken_for_it(words: str) -> None:
    assert not is_out_of_memory(RuntimeError(words))


def test_its_own_errors_need_no_words() -> None:
    assert is_out_of_memory(torch.OutOfMemoryError("")) and is_out_of_memory(MemoryError())
    assert not is_out_of_memory(KeyError("out of memory"))


def test_what_can_be_done_without_is_given_back() -> None:
    kept = KeptPixels(lambda: 1000)
    releases(kept)
    kept.get("a", "plain", lambda: np.zeros((2, 2, 3), np.uint8))
    release_memory()
    assert kept.nbytes == 0
    kept.get("a", "plain", lambda: np.zeros((2, 2, 3), np.uint8))
    assert kept.nbytes == 0


def test_pictures_take_a_part_of_what_is_free() -> None:
    assert 0 <= room_for_pictures() <= 2**32


def test_a_cpu_has_a_gibibyte_for_prompts() -> None:
    assert text_memory(torch.device("cpu")) == 2**30


@pytest.mark.parametrize(("has_it", "precision"), [(True, torch.bfloat16), (False, torch.float32)])
def test_a_gpu_that_only_emulates_bfloat16_computes_in_float32(
    monkeypatch: pytest.MonkeyPatch, has_it: bool, precision: torch.dtype
) -> None:
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda including_emulation: including_emulation or has_it)
    assert encoder_precision(torch.device("cuda")) == precision
    assert encoder_precision(torch.device("cpu")) == torch.float32
