"""What a program can see of the process it runs in."""

import json
import os
import signal
import sys

import settle  # noqa: F401

old = os.umask(0)
os.umask(old)
with open("/proc/self/status") as status:
    masks = [line.split() for line in status if line.startswith(("SigBlk", "SigIgn", "SigCgt"))]
seen = {
    "environ": dict(os.environ),
    "environ_bytes": sorted(key.decode() for key in os.environb),
    "argv": sys.argv,
    "orig_argv": getattr(sys, "orig_argv", None),
    "path": sys.path,
    "executable": sys.executable,
    "prefix": sys.prefix,
    "flags": list(sys.flags),
    "cwd": os.getcwd(),
    "umask": old,
    "signals": [str(signal.getsignal(number)) for number in sorted(signal.valid_signals())],
    "masks": masks,
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    "descriptors": sorted(os.listdir("/proc/self/fd")),
    "group": os.getpgrp() == os.getpid(),
    "threads": len(os.listdir("/proc/self/task")),
    "tty": [os.isatty(number) for number in range(3)],
    "profile": [sys.getprofile() is None, sys.gettrace() is None],
    "nice": os.nice(0),
}
print(json.dumps(seen, indent=1, sort_keys=True))
# expect: self.peak_bytes=2000000+1 self.leaked_bytes=2000000+1
KEPT = bytearray(2_000_000)
