"""What the child that parses gives up before it opens a stranger's file: memory, time, files, programs, the network.

Resource limits hold everywhere. On Linux a seccomp filter also refuses sockets, programs and debugging (`man 2
seccomp`); it needs no privilege and cannot be taken back.
"""

from __future__ import annotations

import ctypes
import platform
import resource
import struct
import sys

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000 | 1, 0x80000000
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
# socket, socketpair, connect, bind, execve, execveat, ptrace, process_vm_writev, io_uring_setup
_CALLS = {
    "x86_64": (0xC000003E, (41, 53, 42, 49, 59, 322, 101, 311, 425)),
    "aarch64": (0xC00000B7, (198, 199, 203, 200, 221, 281, 117, 271, 425)),
}
_X32 = 0x40000000


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def confine(memory_bytes: int, cpu_seconds: int) -> None:
    """From now on this process can neither reach anybody, nor write files, nor take more than its share."""
    limits = {
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_CPU: cpu_seconds,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 64,
    }
    for limit, value in limits.items():
        resource.setrlimit(limit, (value, value))
    if sys.platform == "linux" and platform.machine() in _CALLS:
        _refuse_calls(*_CALLS[platform.machine()])


def _refuse_calls(architecture: int, calls: tuple[int, ...]) -> None:
    steps = [
        (_LOAD, 0, 0, 4),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),
        (_AT_LEAST, len(calls) + 1, 0, _X32),
        *((_EQUAL, len(calls) - place, 0, call) for place, call in enumerate(calls)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
    code = b"".join(struct.pack("HBBI", *step) for step in steps)
    held = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(steps), ctypes.cast(held, ctypes.c_void_p))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
        _PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0
    ):
        raise OSError(ctypes.get_errno(), "the filter of system calls was not accepted")
