"""Signals: a handler that allocates, one that is ignored, and a death by SIGTERM in the end."""

import os
import signal
import sys

import settle  # noqa: F401

received = []


def handler(number, frame):
    # expect: self.peak_bytes=6000000+3 self.peak_count=3
    received.append(bytearray(2_000_000))


def main():
    signal.signal(signal.SIGUSR1, handler)
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    for _ in range(3):
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGUSR2)
    print(len(received), signal.getsignal(signal.SIGINT) is signal.default_int_handler)
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGTERM)


# expect: total.peak_bytes~6000003
main()
# expect session: exit_code=143
