"""A process that forks: the child's blocks are in its own capture, the parent's stay its own."""

import os

import settle  # noqa: F401


def child():
    # expect: self.allocated_count=0 total.allocated_bytes=0
    # expect in child: self.peak_bytes=22000000+1 self.max_bytes=22000000+1 self.allocated_count=1
    buffer = bytearray(22_000_000)
    # expect in child: self.allocated_bytes=3000000+1 self.temporary_count=1
    return len(bytearray(3_000_000)) + len(buffer)


def main():
    # expect: self.max_bytes=11000000+1 self.peak_bytes=11000000+1 self.allocated_count=1
    shared = bytearray(11_000_000)
    pid = os.fork()
    if pid == 0:
        # expect: total.allocated_bytes=0
        # expect in child: total.peak_bytes~25000002 total.allocated_bytes~25000002
        size = child()
        os._exit(0 if size == 25_000_000 else 1)
    status = os.waitpid(pid, 0)[1]
    # expect: self.peak_bytes=4000000+1 self.allocated_count=1
    # expect in child: self.allocated_count=0
    after = bytearray(4_000_000)
    return status, len(shared), len(after)


print(main())
# expect session: captures=2 exit_code=0 complete=true
