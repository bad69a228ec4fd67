import subprocess
import sys
import threading
from contextlib import ExitStack

from cli.users import closed_to_users, is_used, starting, using
from tests.waiting import WAIT_SECONDS

HOLD = """
import sys, time
from pathlib import Path
from cli.users import using
with using(Path(sys.argv[1])):
    print("in", flush=True)
    time.sleep(60)
"""


def closes(root):
    with ExitStack() as stack:
        return closed_to_users(root, stack)


def test_a_service_is_closed_when_its_last_user_has_left(tmp_path):
    with using(tmp_path):
        with using(tmp_path):
            pass
        assert is_used(tmp_path)
        assert not closes(tmp_path)
    assert not is_used(tmp_path)
    assert closes(tmp_path)


def test_a_user_that_is_killed_is_one_no_longer(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE) as user:
        assert user.stdout.readline() == b"in\n"
        assert not closes(tmp_path)
        user.kill()
    assert closes(tmp_path)


def test_nobody_becomes_a_user_of_a_service_that_is_ending(tmp_path):
    with ExitStack() as ending:
        assert closed_to_users(tmp_path, ending)
        assert not is_used(tmp_path)
        waiting = threading.Thread(target=lambda: using(tmp_path).__enter__())
        waiting.start()
        waiting.join(0.1)
        assert waiting.is_alive()
    waiting.join(WAIT_SECONDS)
    assert not waiting.is_alive()


def test_a_service_is_looked_for_by_one_at_a_time(tmp_path):
    with starting(tmp_path):
        waiting = threading.Thread(target=lambda: starting(tmp_path).__enter__())
        waiting.start()
        waiting.join(0.1)
        assert waiting.is_alive()
    waiting.join(WAIT_SECONDS)
    assert not waiting.is_alive()
