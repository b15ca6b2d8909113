"""The demo's bank beside the product, on a machine where only its user can ask the bot to call anything."""

import os
from pathlib import Path

from deploy.local.ports import HeldPort, hold_free_port, hold_port, port_is_free
from deploy.local.processes import write_private

NAME = "demo_bank"
COMMAND = 'python -m deploy.local.bank --port {port} --secrets "$MILLRACE_VAR/demo_bank/secrets.json"'
LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class DemoBank:
    """The bank of one run; where others could sign in, there is none, and the bot passes on what it cannot do."""

    def __init__(self, var: Path) -> None:
        self._held: HeldPort | None = None
        self._folder = var / NAME
        if os.environ.get("MILLRACE_LOCAL") != "1" or os.environ.get("LISTEN_HOST") not in LOOPBACK:
            return
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._held = _port(self._folder / "port")
        # The bank is a system of the own network, as an operator's would be; the rest of that stays shut.
        trusted = [os.environ.get("OUTBOUND_TRUSTED", ""), f"127.0.0.1:{self._held.number}"]
        os.environ["OUTBOUND_TRUSTED"] = ",".join(filter(None, trusted))

    @property
    def processes(self) -> dict[str, str]:
        """What runs beside the Procfile's processes, by name."""
        return {NAME: COMMAND.format(port=self._held.number)} if self._held else {}

    @property
    def options(self) -> list[str]:
        """What `seed_bot` is told of it."""
        if self._held is None:
            return []
        return ["--bank", f"http://127.0.0.1:{self._held.number}", "--secrets", str(self._folder / "secrets.json")]


def _port(remembers: Path) -> HeldPort:
    """The port of the last run, so that the bot's actions lead there still, or another where that is taken."""
    known = remembers.read_text().strip() if remembers.exists() else ""
    held = hold_port(int(known)) if known.isdigit() and port_is_free(int(known)) else None
    held = held or hold_free_port()
    write_private(remembers, str(held.number))
    return held
