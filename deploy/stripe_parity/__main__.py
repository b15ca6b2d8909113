"""`STRIPE_SECRET_KEY=sk_test_… make stripe-parity`: exit code 0 without a grave difference, 1 with one, 2 unusable."""

from __future__ import annotations

import argparse
import contextlib
import secrets
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

from apps.core import env
from deploy.local.ports import free_port

# What speaks to Stripe is imported when the settings are made.
if TYPE_CHECKING:
    from deploy.stripe_parity.compare import Difference

ROOT = Path(__file__).resolve().parents[2]
SIMULATOR_KEY = "sk_test_simulator"
HOW = "Give the secret key of a Stripe test account: STRIPE_SECRET_KEY=sk_test_… make stripe-parity"


def main() -> int:
    """Runs both sides, prints where they differ."""
    options = _options()
    key, base = env.text("STRIPE_SECRET_KEY"), env.text("STRIPE_API_BASE").rstrip("/")
    if problem := refusal(key):
        print(problem, file=sys.stderr)
        return 2
    settings.configure(
        STRIPE_SECRET_KEY="",
        STRIPE_API_BASE="",
        STRIPE_TAX=False,
        STRIPE_WEBHOOK_SECRETS=["whsec_parity"],
        USE_TZ=True,
        USE_I18N=False,
    )
    with _simulator() as address:
        found = _compared(key, base, address, keeps=options.keep)
    return _told(found, everything=options.all)


def refusal(key: str) -> str:
    """Why nothing can be run with this key; nothing is ever asked with a live one."""
    if not key:
        return f"There is no key. {HOW}"
    if key.startswith(("sk_live_", "rk_live_")):
        return f"This is a live key, and what runs here makes customers and charges. It was not used. {HOW}"
    if not key.startswith(("sk_test_", "rk_test_")):
        return f"This is no secret key of a test account. {HOW}"
    return ""


def _compared(key: str, base: str, simulator: str, *, keeps: bool) -> list[Difference]:
    from deploy.stripe_parity.compare import differences
    from deploy.stripe_parity.lifecycle import run_side
    from deploy.stripe_parity.run import Side

    tag, start = f"parity-{secrets.token_hex(5)}", int(time.time()) // 86_400 * 86_400
    left = Side(base or "Stripe", key, base)
    if base:
        print(f"STRIPE_API_BASE is set: this compares {base} with a fresh simulator, and says nothing of Stripe.")
    right = Side("the simulator", SIMULATOR_KEY, simulator)
    print(f"left: {left.name} | right: {right.name}; everything made is named {tag}")
    seen = [run_side(side, tag, start, keeps=keeps).seen for side in (left, right)]
    print(f"{len(seen[0])} steps, {sum(len(one.facts) for one in seen[0].values())} facts on the left")
    return differences(*seen)


def _told(found: list[Difference], *, everything: bool) -> int:
    from deploy.stripe_parity.compare import unique

    grave = [one for one in found if one.grave]
    other = [one for one in (found if everything else unique(found)) if not one.grave]
    for title, some in (("Differences", grave), ("Fields that only one side has or fills", other)):
        print(f"\n{title}: {len(some) or 'none'}")
        for one in some:
            print(f"  {one}")
    return 1 if grave else 0


@contextlib.contextmanager
def _simulator() -> Iterator[str]:
    """An empty simulator of our own, until the block ends."""
    port = free_port()
    command = [sys.executable, "-m", "deploy.stripe_simulator", "--port", str(port), "--data", ":memory:"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        while True:
            with contextlib.suppress(urllib.error.URLError):
                opener.open(address, timeout=5).close()
                break
            if process.poll() is not None:
                raise SystemExit("The simulator did not start.")
            time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.stripe_parity", description=HOW)
    parser.add_argument("--all", action="store_true", help="repeat a place for each step that met it")
    parser.add_argument("--keep", action="store_true", help="leave what was made at Stripe, to look at it there")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
