"""TCP ports of this machine: which are free, and which one a run may call its own.

Between the look that finds a port free and the process that listens on it lie seconds, in which another copy of
Millrace or any program may take it. A copy is kept away by holding the port's number; of others `serves` tells.
"""

import contextlib
import random
import socket
import sys

import psutil

from deploy.local.processes import ServiceError

# Above what others like to listen on, and below what kernels give to clients: while a server is down, a client that
# tries it again and again could otherwise be given the server's own port.
QUIET_PORTS = range(20_000, 32_000)


class HeldPort:
    """A port that no other copy of Millrace on this machine takes until this is released, or its process ends."""

    def __init__(self, number: int, hold: socket.socket | None):
        self.number = number
        self._hold = hold

    def release(self) -> None:
        """Let others have it."""
        if self._hold is not None:
            self._hold.close()


def hold_port(number: int) -> HeldPort | None:
    """Hold a port, or return None when another process of this machine holds it.

    The hold is a name in Linux's abstract namespace, which the kernel frees with the process and keeps apart for each
    network, like the ports themselves. Elsewhere nothing is held, and `serves` alone tells whose a port is.
    """
    if sys.platform != "linux":
        return HeldPort(number, None)
    hold = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        hold.bind(f"\0millrace-port-{number}")
    except OSError:
        hold.close()
        return None
    return HeldPort(number, hold)


def hold_free_port(host: str = "127.0.0.1") -> HeldPort:
    """Hold a quiet port that nothing listens on."""
    for number in random.sample(QUIET_PORTS, len(QUIET_PORTS)):
        if not port_is_free(number, host):
            continue
        if held := hold_port(number):
            return held
    raise ServiceError(f"no port from {QUIET_PORTS.start} to {QUIET_PORTS.stop - 1} is free on {host}")


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that was free a moment ago; the caller tries again when someone else was quicker."""
    held = hold_free_port(host)
    held.release()
    return held.number


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Tell whether a server could listen on `host:port` now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def serves(port: int) -> bool:
    """Tell whether a process that this one has started, or one of its children, listens on the port."""
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error, OSError):
            for connection in process.net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
                    return True
    return False
