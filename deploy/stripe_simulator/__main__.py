"""`python -m deploy.stripe_simulator --port P --data FILE --webhook-url URL --webhook-secret whsec_…`."""

import argparse
import os
import sys
from pathlib import Path

import uvicorn

from deploy.stripe_simulator.asgi import application
from deploy.stripe_simulator.simulator import Simulator

LABEL = "Stripe simulator: it moves no money and is not Stripe."


def main() -> int:
    """Serve until told to stop."""
    options = _options()
    if not options.webhook_secret.startswith("whsec_"):
        print("The webhook secret must begin with whsec_.", file=sys.stderr)
        return 2
    if options.host not in {"127.0.0.1", "::1", "localhost"}:
        print("The Stripe simulator has no accounts and listens on this machine only.", file=sys.stderr)
        return 2
    if options.data != ":memory:":
        Path(options.data).parent.mkdir(parents=True, exist_ok=True)
    simulator = Simulator(
        options.data,
        base_url=f"http://{options.host}:{options.port}",
        webhook_url=options.webhook_url,
        webhook_secret=options.webhook_secret,
    )
    simulator.start()
    print(f"{LABEL} http://{options.host}:{options.port}/", flush=True)
    try:
        uvicorn.run(
            application(simulator.answer),
            host=options.host,
            port=options.port,
            log_level="warning",
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=3,
        )
    finally:
        simulator.stop()
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.stripe_simulator", description=LABEL)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=int(os.environ.get("STRIPE_SIMULATOR_PORT", "12111")))
    parser.add_argument("--data", default=os.environ.get("STRIPE_SIMULATOR_DATA", ":memory:"))
    parser.add_argument("--webhook-url", default=os.environ.get("STRIPE_SIMULATOR_WEBHOOK_URL", ""))
    parser.add_argument("--webhook-secret", default=os.environ.get("STRIPE_WEBHOOK_SECRET", "whsec_simulator"))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
