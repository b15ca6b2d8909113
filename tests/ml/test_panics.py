"""A library in Rust that panics is an error like any other, and the engine gives tokenizers no reason to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ml.panics import panics_as_errors

ROOT = Path(__file__).resolve().parents[2]

# A batch is encoded by a pool of threads, each of which needs memory for its stack; the program may take no more.
ENCODE = """
import resource
from pathlib import Path
from tokenizers import Tokenizer
{prelude}
from ml.panics import panics_as_errors
tokenizer = Tokenizer.from_file("ml/house/text/tokenizer.json")
pages = int(Path("/proc/self/statm").read_text().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize(), resource.RLIM_INFINITY))
try:
    with panics_as_errors():
        print(len(tokenizer.encode_batch(["hello"])[0].ids) > 0)
except Exception as error:
    print(type(error).__name__)
"""


def encode(prelude: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "TOKENIZERS_PARALLELISM"}
    command = [sys.executable, "-c", ENCODE.format(prelude=prelude)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    return done.stdout.strip()


@pytest.mark.skipif(sys.platform != "linux", reason="the limit and its figures are Linux's")
def test_a_pool_that_cannot_start_is_an_error_and_the_engine_wants_none() -> None:
    assert encode("") == "RuntimeError"
    assert encode("import ml.engine") == "True"


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError])
def test_what_is_no_panic_passes(error: type[BaseException]) -> None:
    with pytest.raises(error), panics_as_errors():
        raise error
