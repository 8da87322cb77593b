"""Allocations made by C code in a thread that has given the interpreter lock away."""

import hashlib
import threading

import settle  # noqa: F401
from libc import load

c = load("libc.so.6")
blocks = []


def native_blocks():
    # ctypes gives the lock away around each call.
    for _ in range(20):
        # expect: self.peak_bytes=2000000 self.peak_count=20 self.allocated_count=20
        # expect: self.leaked_bytes=2000000
        blocks.append(c.malloc(100_000))


def derive_key():
    # OpenSSL needs 128 bytes for each of n * r and takes them while the lock is free.
    # expect: self.allocated_bytes>=8388608 self.max_bytes>=8388608 self.leaked_bytes<=65536
    hashlib.scrypt(b"password", salt=b"salt", n=8192, r=8, p=1, maxmem=64 << 20)


def main():
    threads = [threading.Thread(target=native_blocks), threading.Thread(target=derive_key)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # expect: self.peak_bytes=20000000+1
    return len(bytearray(20_000_000))


print(main())
# memray: sees no call made by ctypes, because it patches call sites and ctypes has none
