"""What PyTorch took before there was an engine is given back."""

import subprocess
import sys

import pytest

TAKE_OVER = """
import sys
import psutil, torch
from pathlib import Path
from pouf_core.engines.frozen import FrozenNetwork
from pouf_core.engines.interface import EngineOffer
from pouf_core.system.memory import keep_freed_memory

keep_freed_memory()
resident = lambda: psutil.Process().memory_info().rss
before = resident()
taken = [torch.ones(2**16) for _ in range(2**11)]
keeps_the_heap_from_ending_there = torch.ones(2**16)
del taken
assert resident() - before > 2**28
network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 4)).eval()
frozen = FrozenNetwork(network, lambda: torch.rand(2, 3, 2, 2), (-1, 3, 2, 2), lambda: "weights", "the test")
frozen.offer(EngineOffer(Path(sys.argv[1])))
with torch.no_grad():
    frozen(torch.rand(2, 3, 2, 2), torch.float32)
assert frozen.used(torch.float32).name == "openvino"
print(resident() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc keeps it")
def test_memory_of_pytorch_is_given_back_when_the_engine_takes_over(tmp_path):
    done = subprocess.run([sys.executable, "-c", TAKE_OVER, str(tmp_path)], check=True, capture_output=True, text=True)
    assert int(done.stdout) < 2**28
