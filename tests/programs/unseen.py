"""What no replaced function sees: system calls made directly, and the program break."""

import ctypes
import os

import settle  # noqa: F401

libc = ctypes.CDLL("libc.so.6", use_errno=True)
MMAP = {"x86_64": 9, "aarch64": 222}[os.uname().machine]
SIZE = 30 << 20


def main():
    libc.syscall.restype = libc.sbrk.restype = ctypes.c_void_p
    numbers = [ctypes.c_long(number) for number in (MMAP, 0, SIZE, 3, 0x22, -1, 0)]
    # expect: self.allocated_count=0 self.peak_bytes=0
    mapped = libc.syscall(*numbers)
    # expect: self.allocated_count=0 self.peak_bytes=0
    moved = libc.sbrk(ctypes.c_long(0))
    # expect: self.peak_bytes=2000000+1
    return bool(mapped), bool(moved), len(bytearray(2_000_000))


print(main())
