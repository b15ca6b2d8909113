"""A worker's part: `python -m bench.revoking.write ID` writes to a generation's stream until its input ends."""

from __future__ import annotations

import select
import sys

PIECES_A_SECOND = 20


def main() -> int:
    import django

    django.setup()
    from apps.core import streams
    from apps.core.connections import redis_client

    client, id, before, number = redis_client(), sys.argv[1], "1-0", 0
    streams.take_over(client, id, 1)
    while not select.select([sys.stdin], [], [], 1 / PIECES_A_SECOND)[0]:
        position = f"1-{number + 1}"
        write = streams.Write(streams.key(id), before, position, streams.DELTA, "tea ", str(number + 1), number)
        assert streams.write(client, [write]) == [streams.WRITTEN]
        before, number = position, number + 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
