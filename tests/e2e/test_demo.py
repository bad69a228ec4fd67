import subprocess
import sys

import pytest

from cli.processes import marked_processes


def demo(folder, *options):
    command = [sys.executable, "-m", "cli.main", "demo", "--data-dir", str(folder), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_demo_runs_and_a_second_run_uses_what_is_there(tmp_path):
    first = demo(tmp_path)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "Uploaded 519 pictures" in first.stdout
    for row in ("zero-shot", "fast", "best"):
        assert row in first.stdout
    assert (tmp_path / "models" / "best" / "adapter.safetensors").is_file()
    second = demo(tmp_path)
    assert second.returncode == 0, second.stdout + second.stderr
    assert "Using the 519 pictures uploaded before" in second.stdout
    assert marked_processes(tmp_path.resolve()) == []


def test_a_demo_that_cannot_work_says_why(tmp_path):
    nothing = demo(tmp_path, "--pictures", str(tmp_path))
    assert nothing.returncode == 1
    assert "must hold images/ and labels.csv" in nothing.stderr
    nobody = demo(tmp_path, "--url", "http://127.0.0.1:1")
    assert nobody.returncode == 1
    assert "The service at http://127.0.0.1:1 is not ready" in nobody.stderr
