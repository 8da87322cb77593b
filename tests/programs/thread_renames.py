"""Threads that are renamed while they run. Prints each one's id and last name, which its capture has, too."""

import ctypes
import sys
import threading
import time

PR_SET_NAME = 15
libc = ctypes.CDLL(None)
libc.pthread_setname_np.argtypes = (ctypes.c_ulong, ctypes.c_char_p)
lines = []


def allocate():
    for _ in range(3):
        time.sleep(0.002)
        len(bytearray(100_000))


def work(rename, name):
    allocate()
    rename()
    allocate()
    lines.append(f"{threading.get_native_id()} {name}")


def rename_in_python():
    threading.current_thread().name = "a name that is longer than fifteen bytes: \u65e5\u672c"


def rename_in_kernel():
    libc.prctl(PR_SET_NAME, b"by prctl", 0, 0, 0)


def rename_for_another():
    libc.pthread_setname_np(threading.get_ident(), b"by pthread")


def rename_in_both():
    threading.current_thread().name = "in both"
    libc.prctl(PR_SET_NAME, b"in the kernel", 0, 0, 0)


def rename_again():
    rename_in_python()
    allocate()
    rename_in_kernel()
    allocate()
    threading.current_thread().name = "at last"


KINDS = (
    (rename_in_python, "a name that is longer than fifteen bytes: \u65e5\u672c"),
    (rename_in_kernel, "by prctl"),
    (rename_for_another, "by pthread"),
    (rename_in_both, "in both"),
    (rename_again, "at last"),
    (allocate, "as it was"),
)

threads = [threading.Thread(target=work, args=kind, name="as it was") for kind in KINDS]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
work(allocate, "MainThread")
sys.stdout.buffer.write("\n".join(lines).encode())
