"""`make check`: everything that can be judged without running the product.

`python -m deploy.local.check mypy imports` runs only the named checks.
"""

import concurrent.futures
import os
import secrets
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from apps.core import keyring

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
PYTHON = sys.executable

# The settings of a production installation, so that `check --deploy` judges what would really be served. No server
# listens behind these addresses: no check may need one.
ENVIRONMENT = {
    "ALLOWED_HOSTS": "millrace.example",
    "BASE_URL": "https://millrace.example",
    "DATABASE_POOL_SIZE": "0",
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none",
    "DEBUG": "0",
    "FIELD_KEYS": keyring.generate("check"),
    "MILLRACE_LOCAL": "0",
    "REDIS_URL": "redis://127.0.0.1:9/0",
    "SECRET_KEY": secrets.token_urlsafe(60),
}

# The slow one first: the others run beside it.
CHECKS = {
    "mypy": [str(BIN / "mypy")],
    "lint": [str(BIN / "ruff"), "check", "."],
    "format": [str(BIN / "ruff"), "format", "--check", "--quiet", "--diff", "."],
    "imports": [str(BIN / "lint-imports")],
    # Without -W it complains that it could not compare with a database.
    "migrations": [PYTHON, "-W", "ignore", "manage.py", "makemigrations", "--check", "--dry-run"],
    "translations": [PYTHON, "manage.py", "translations", "check"],
    # Whether clients/python still fits the schema.
    "client": [PYTHON, "-m", "deploy.client", "--check"],
    "deployment": [PYTHON, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
}


@dataclass(frozen=True)
class Outcome:
    """What one check said; `seconds` is wall time."""

    name: str
    passed: bool
    output: str
    seconds: float


def run(name: str) -> Outcome:
    """Run one check to its end."""
    started = time.monotonic()
    environment = {**os.environ, **ENVIRONMENT, "PYTHONWARNINGS": "ignore"}
    for leftover in ("DATABASE_URL_FILE", "REDIS_URL_FILE", "SECRET_KEY_FILE", "FIELD_KEYS_FILE", "DATABASE_ROLE"):
        environment.pop(leftover, None)
    result = subprocess.run(
        CHECKS[name],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    return Outcome(name, result.returncode == 0, result.stdout.strip(), time.monotonic() - started)


def main(names: list[str]) -> int:
    """Run the named checks, or all; print each as it ends; return 1 when one fails."""
    if unknown := [name for name in names if name not in CHECKS]:
        print(f"There is no check named {', '.join(unknown)}; there are {', '.join(CHECKS)}.", file=sys.stderr)
        return 2
    failed = []
    with concurrent.futures.ThreadPoolExecutor(max_workers=max(2, os.cpu_count() or 2)) as pool:
        for future in concurrent.futures.as_completed([pool.submit(run, name) for name in names or CHECKS]):
            outcome = future.result()
            print(f"{'ok    ' if outcome.passed else 'FAILED'}  {outcome.name:14}{outcome.seconds:6.1f} s", flush=True)
            if not outcome.passed:
                failed.append(outcome.name)
                print("\n".join(f"    {line}" for line in outcome.output.splitlines()), flush=True)
    if failed:
        print(f"Failed: {', '.join(failed)}.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
