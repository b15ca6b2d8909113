"""The whole lifecycle, in its order."""

from __future__ import annotations

from deploy.stripe_parity import money, subscriptions
from deploy.stripe_parity.run import Run, Side

LIFECYCLE = (*subscriptions.STEPS, *money.STEPS, *subscriptions.ENDING, *money.ENDING)


def run_side(side: Side, tag: str, start: int, *, keeps: bool) -> Run:
    """Runs every step at one side; one that fails is an outcome, and the others go on."""
    run = Run(side, tag, start)
    for step in LIFECYCLE:
        print(f"  {side.name}: {step.__name__} …", flush=True)
        run.do(step)
    if not keeps:
        run.do(money.clean_up)
    return run
