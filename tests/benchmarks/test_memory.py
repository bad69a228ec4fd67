"""The memory that the method's page claims, measured by the benchmark."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "memory.py"


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_batch_of_512_in_micro_batches_of_32_takes_little_more_memory_than_a_batch_of_32(tmp_path):
    subprocess.run([sys.executable, BENCHMARK, "--json", tmp_path / "memory.json"], check=True)
    figures = json.loads((tmp_path / "memory.json").read_text())
    assert [row["batch"] for row in figures["rows"]] == [32, 512]
    assert figures["peak_ratio"] < figures["claimed_ratio"]
