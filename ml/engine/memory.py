"""How much memory a cache may take."""

from __future__ import annotations

import os
from pathlib import Path

import torch

# Part of the free memory that the cache may take when the spec does not say.
CPU_SHARE = 0.25
GPU_SHARE = 0.8

CGROUP = Path("/sys/fs/cgroup")


def cache_bytes(device: torch.device) -> int:
    """Return the bytes that a cache on `device` may take, after the model has been loaded."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0] * GPU_SHARE)
    return int(min(_machine_bytes(), container_bytes(CGROUP)) * CPU_SHARE)


def _machine_bytes() -> int:
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def container_bytes(folder: Path) -> float:
    """Return what a container's own limit leaves free (cgroup v2), infinity where there is none.

    Beyond it the kernel kills the process, whatever the machine has free.
    """
    try:
        limit = (folder / "memory.max").read_text().strip()
        used = (folder / "memory.current").read_text().strip()
    except OSError:
        return float("inf")
    return max(0, int(limit) - int(used)) if limit.isdecimal() and used.isdecimal() else float("inf")
