"""Which machine this is: a digest of the id that its operating system has given it.

The vendor is part of the digest, so that two vendors cannot find out that they serve the same machine.
"""

from __future__ import annotations

import hashlib
import platform
import re
import subprocess
import sys
import uuid
from pathlib import Path

# Debian's and systemd's, and what virtual machines are given.
_FILES = ("/etc/machine-id", "/var/lib/dbus/machine-id", "/sys/class/dmi/id/product_uuid")
_FORM = re.compile(r"[0-9a-f]{64}")


class NoFingerprint(RuntimeError):
    """The system has no id that lasts: the operator gives a container one, as a file mounted at /etc/machine-id."""


def fingerprint(vendor: str) -> str:
    """64 hexadecimal digits; raises NoFingerprint."""
    return digest(vendor, machine_id())


def digest(vendor: str, machine: str) -> str:
    return hashlib.sha256(f"millrace-machine/{vendor}/{machine.strip().lower()}".encode()).hexdigest()


def is_fingerprint(text: str) -> bool:
    return bool(_FORM.fullmatch(text))


def machine_name() -> str:
    """What people call it; only shown, never compared."""
    return platform.node()[:120] or "unnamed"


def machine_id() -> str:
    """The system's own id; raises NoFingerprint."""
    found = _from_files() or _from_system()
    if found:
        return found
    node = uuid.getnode()
    # With this bit the number was drawn at random, because there is no network card: it lasts no longer than a process.
    if node >> 40 & 1:
        raise NoFingerprint("This machine has no id that lasts; give it one in /etc/machine-id.")
    return f"{node:012x}"


def _from_files() -> str:
    for name in _FILES:
        try:
            if text := Path(name).read_text(encoding="ascii").strip():
                return text
        except (OSError, ValueError):
            continue
    return ""


def _from_system() -> str:
    commands = {
        "darwin": (["ioreg", "-rd1", "-c", "IOPlatformExpertDevice"], r'"IOPlatformUUID" = "([^"]+)"'),
        "win32": (
            ["reg", "query", r"HKLM\SOFTWARE\Microsoft\Cryptography", "/v", "MachineGuid"],
            r"MachineGuid\s+REG_SZ\s+(\S+)",
        ),
    }
    if sys.platform not in commands:
        return ""
    command, pattern = commands[sys.platform]
    try:
        output = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
    found = re.search(pattern, output)
    return found.group(1) if found else ""
