import subprocess
import sys

#: Users of a service that is not there, who ask it again and again.
LEFT_ALONE = """
from pathlib import Path
from tests.chaos.workload import User, Workload
Workload(User("http://127.0.0.1:9", Path(".")), 2).start()
"""


def test_users_whose_service_is_gone_keep_nobody_from_ending():
    subprocess.run([sys.executable, "-c", LEFT_ALONE], check=True, timeout=60)
