"""Payments on a developer's machine: without a key for Stripe, its simulator runs along, and no money moves."""

import os
import sys
from pathlib import Path

from deploy.local.ports import HeldPort, hold_free_port, hold_port, port_is_free
from deploy.local.processes import new_password, remembered, write_private

NAME = "stripe_simulator"
# BASE_URL is looked at when the process starts: a run that loses its port starts it again with another.
COMMAND = (
    'python -m deploy.stripe_simulator --port {port} --data "$MILLRACE_VAR/stripe_simulator/stripe.db" '
    '--webhook-url "$BASE_URL/webhooks/stripe" --webhook-secret "$STRIPE_WEBHOOK_SECRET"'
)


class Payments:
    """The simulator of one run, and the environment by which the product finds it."""

    def __init__(self, var: Path) -> None:
        self._held: HeldPort | None = None
        if not _wanted():
            return
        folder = var / NAME
        folder.mkdir(parents=True, exist_ok=True)
        self._held = _port(folder / "port")
        os.environ["STRIPE_API_BASE"] = self.url
        os.environ["STRIPE_WEBHOOK_SECRET"] = remembered(folder / "webhook_secret", lambda: f"whsec_{new_password()}")

    @property
    def url(self) -> str:
        """Where the simulator's pages are, or nothing without one."""
        return f"http://127.0.0.1:{self._held.number}" if self._held else ""

    @property
    def processes(self) -> dict[str, str]:
        """What runs beside the Procfile's processes, by name."""
        return {NAME: COMMAND.format(port=self._held.number)} if self._held else {}

    def seed(self, manage: Path, slug: str) -> list[str]:
        """The command that has an organization of the demo pay at the simulator, once that and the product run."""
        return [sys.executable, str(manage), "seed_payments", slug] if self._held else []


def _wanted() -> bool:
    """Tell whether this is a developer's machine on which nobody has said where payments go."""
    said = ("STRIPE_SECRET_KEY", "STRIPE_SECRET_KEY_FILE", "STRIPE_API_BASE")
    return os.environ.get("MILLRACE_LOCAL") == "1" and not any(os.environ.get(name) for name in said)


def _port(remembers: Path) -> HeldPort:
    """The port of the last run, so that links stay right, or another where that is taken."""
    known = remembers.read_text().strip() if remembers.exists() else ""
    held = hold_port(int(known)) if known.isdigit() and port_is_free(int(known)) else None
    held = held or hold_free_port()
    write_private(remembers, str(held.number))
    return held
