"""A process that the kernel kills, as it does when memory runs out: nothing is lost."""

import os
import signal

import settle  # noqa: F401


def fill():
    kept = []
    for _ in range(30):
        # expect: self.peak_bytes=30000000+30 self.peak_count=30 self.leaked_bytes=30000000+30
        # expect: self.max_bytes=30000000+30
        # expect: self.allocated_count=30 total.max_bytes=30000000+30
        kept.append(bytearray(1_000_000))
    # expect: self.allocated_bytes=2000000+1 self.temporary_count=1 self.max_bytes=2000000+1
    bytearray(2_000_000)
    os.kill(os.getpid(), signal.SIGKILL)
    return kept


# expect: total.leaked_bytes~30000030 total.peak_bytes~32000031
fill()
# expect session: exit_code=137 complete=false
