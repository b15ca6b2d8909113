"""The container's health check: ask this process's own /healthz, under a host name that it serves."""

import os
import sys
import urllib.request


def main() -> int:
    """Return 0 when the web process answers."""
    host = os.environ.get("ALLOWED_HOSTS", "localhost").split(",")[0].strip().lstrip(".")
    address = f"http://127.0.0.1:{os.environ.get('PORT', '8000')}/healthz"
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers={"Host": host}), timeout=4) as response:
            return 0 if response.status == 200 else 1
    except OSError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
