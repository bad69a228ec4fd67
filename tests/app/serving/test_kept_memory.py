"""The process that serves keeps the memory of freed tensors for the next batch."""

import subprocess
import sys

import pytest

SERVE = """
import psutil, torch
from app.serving.engine import Engine
from store.settings import Settings
from store.storage import Storage

settings = Settings(device="cpu")
Engine(settings, Storage(settings.storage_url, settings.cache_dir)).base_models.pool
memory = psutil.Process().memory_info
tensor = torch.ones(2**25)
full = memory().rss
del tensor
print(full - memory().rss)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc gives memory back at once")
def test_a_freed_tensor_stays_with_the_process(tmp_path, monkeypatch):
    monkeypatch.setenv("POUF_DATA_DIR", str(tmp_path))
    done = subprocess.run([sys.executable, "-c", SERVE], check=True, capture_output=True, text=True)
    assert int(done.stdout) < 2**25
