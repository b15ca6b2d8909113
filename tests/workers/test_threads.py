"""A worker that loses one of its threads ends: it would keep the leases of work that nobody does."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = """
import time
from workers.threads import vital
class Panic(BaseException):
    pass
def fail():
    raise Panic("as a library in Rust does")
vital(fail, "claimer").start()
time.sleep(60)
"""


def test_a_lost_thread_takes_its_process_with_it() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "thread claimer failed; this worker ends" in done.stderr
    assert "as a library in Rust does" in done.stderr
