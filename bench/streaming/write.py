"""The workers' part: `python -m bench.streaming.write product|group FILE RATE SECONDS`, ids in FILE.

`product` appends to the Redis Streams as `workers.generation` does, in one command all that is due; `group` sends
every token to its Channels group, as tutorials have it, as many at once as are due.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from bench.streaming.load import schedule, token

# The Redis client of Channels' layer has 100 connections.
AT_ONCE = 50


def write_streams(ids: list[str], rate: float, seconds: float) -> None:
    from apps.core import streams
    from apps.core.connections import redis_client

    client = redis_client()
    for id in ids:
        streams.take_over(client, id, 1)
    last = dict.fromkeys(ids, "1-0")
    for due in schedule(ids, rate, seconds):
        writes = []
        for id, number, when in due:
            before, last[id] = last[id], f"1-{number + 1}"
            text, ids_of_tokens = token(number, when), str(number + 1000)
            writes.append(streams.Write(streams.key(id), before, last[id], streams.DELTA, text, ids_of_tokens, number))
        refused = [answer for answer in streams.write(client, writes) if answer != streams.WRITTEN]
        assert not refused, refused[:3]


async def write_groups(ids: list[str], rate: float, seconds: float) -> None:
    from channels.layers import get_channel_layer

    layer: Any = get_channel_layer()
    free = asyncio.Semaphore(AT_ONCE)

    async def send(id: str, number: int, when: float) -> None:
        async with free:
            await layer.group_send(id, {"type": "token", "id": number, "text": token(number, when)})

    for due in schedule(ids, rate, seconds):
        await asyncio.gather(*(send(*one) for one in due))


def main() -> int:
    way, file, rate, seconds = sys.argv[1:5]
    ids = json.loads(Path(file).read_text())
    import django

    django.setup()
    began = time.monotonic()
    if way == "product":
        write_streams(ids, float(rate), float(seconds))
    else:
        asyncio.run(write_groups(ids, float(rate), float(seconds)))
    print(json.dumps({"seconds": time.monotonic() - began, "cpu_seconds": time.process_time()}), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
