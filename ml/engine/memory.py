"""How much memory a cache may take."""

from __future__ import annotations

import os
from pathlib import Path

import torch

# Part of the free memory that the cache may take when the spec does not say.
CPU_SHARE = 0.25
GPU_SHARE = 0.8

CGROUP = Path("/sys/fs/cgroup")
MEMINFO = Path("/proc/meminfo")


def cache_bytes(device: torch.device) -> int:
    """Return the bytes that a cache on `device` may take, after the model has been loaded."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0] * GPU_SHARE)
    return int(min(machine_bytes(MEMINFO), container_bytes(CGROUP)) * CPU_SHARE)


def machine_bytes(file: Path) -> int:
    """Return what the machine can give without swapping; without Linux's `file`, only what nobody uses at all.

    Files that were read lately fill the memory of every machine that has run for a while, and make room when asked.
    """
    try:
        found = _numbers(file).get("MemAvailable:")
    except OSError:
        found = None
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if found is None else found * 1024


def container_bytes(folder: Path) -> float:
    """Return what a container's own limit leaves free (cgroup v2), infinity where there is none.

    Beyond it the kernel kills the process, whatever the machine has free. Files read a while ago make room before.
    """
    try:
        limit = (folder / "memory.max").read_text().strip()
        used = int((folder / "memory.current").read_text())
        files = _numbers(folder / "memory.stat").get("inactive_file", 0)
    except OSError:
        return float("inf")
    return max(0, int(limit) - max(0, used - files)) if limit.isdecimal() else float("inf")


def _numbers(file: Path) -> dict[str, int]:
    """Read lines of a name and a number."""
    lines = [line.split() for line in file.read_text().splitlines()]
    return {words[0]: int(words[1]) for words in lines if len(words) > 1}
