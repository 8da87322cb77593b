"""A program that gives up what a growing capture needs; it must not notice.

Usage: python confined.py WHAT     (nothing, file_size, descriptors, root, user, system_calls)
"""

import ctypes
import errno
import os
import resource
import signal
import struct
import sys

kept = [bytearray(7_000_000)]


def nothing():
    pass


def file_size():
    """No file may become longer than a few kilobytes; whoever tries has its signal counted."""
    signal.signal(signal.SIGXFSZ, lambda *_: print("SIGXFSZ"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, 65_536))


def descriptors():
    """No file can be opened any more."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))


def root():
    """No path leads to the capture any more."""
    os.chroot(os.path.dirname(os.path.abspath(sys.argv[0])) + "/empty")
    os.chdir("/")


def user():
    """The capture belongs to somebody else."""
    os.setgid(65_534)
    os.setuid(65_534)


def system_calls():
    """openat answers EPERM; what opens no file goes on."""
    PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, FILTER = 38, 22, 2
    OPENAT = {"x86_64": 257, "aarch64": 56}[os.uname().machine]
    ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM
    # Load the number; if it is openat refuse, else allow.
    program = b"".join(
        struct.pack("HBBI", *step)
        for step in (
            (0x20, 0, 0, 0),
            (0x15, 0, 1, OPENAT),
            (0x06, 0, 0, REFUSE),
            (0x06, 0, 0, ALLOW),
        )
    )
    steps = ctypes.create_string_buffer(program)
    head = ctypes.create_string_buffer(struct.pack("HxxxxxxP", 4, ctypes.addressof(steps)))
    prctl = ctypes.CDLL(None).prctl
    prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
    assert prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    assert prctl(PR_SET_SECCOMP, FILTER, ctypes.addressof(head), 0, 0) == 0


def piece(number):
    """New code, so that the capture's tables grow."""
    text = f"def make_{number}(keep):\n    keep(bytearray({1_000 + number}))\nmake_{number}(keep)\n"
    exec(compile(text, f"<piece {number}>", "exec"), {"keep": kept.append})


def opens(path):
    try:
        os.close(os.open(path, os.O_RDONLY))
    except OSError as error:
        return errno.errorcode[error.errno]
    return "opened"


globals()[sys.argv[1]]()
for number in range(int(sys.argv[2])):
    piece(number)
print(sys.argv[1], len(kept), sum(map(len, kept)), opens("/dev/null"))
sys.exit(3)
