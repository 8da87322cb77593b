"""The C library's allocator as ctypes sees it, for subjects that call it directly.

`load(None)` looks the functions up in the whole process, `load("libc.so.6")` in that one library.
"""

import ctypes

SIGNATURES = {
    "malloc": (ctypes.c_void_p, [ctypes.c_size_t]),
    "calloc": (ctypes.c_void_p, [ctypes.c_size_t, ctypes.c_size_t]),
    "realloc": (ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_size_t]),
    "reallocarray": (ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t]),
    "free": (None, [ctypes.c_void_p]),
    "posix_memalign": (
        ctypes.c_int,
        [ctypes.POINTER(ctypes.c_void_p), ctypes.c_size_t, ctypes.c_size_t],
    ),
    "aligned_alloc": (ctypes.c_void_p, [ctypes.c_size_t, ctypes.c_size_t]),
    "memalign": (ctypes.c_void_p, [ctypes.c_size_t, ctypes.c_size_t]),
    "valloc": (ctypes.c_void_p, [ctypes.c_size_t]),
    "pvalloc": (ctypes.c_void_p, [ctypes.c_size_t]),
    "mmap": (
        ctypes.c_void_p,
        [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long],
    ),
    "munmap": (ctypes.c_int, [ctypes.c_void_p, ctypes.c_size_t]),
}
MIB = 1 << 20
READ_WRITE = 3
PRIVATE_ANONYMOUS = 0x22
FIXED = 0x10


def load(name):
    library = ctypes.CDLL(name, use_errno=True)
    for function, (result, arguments) in SIGNATURES.items():
        getattr(library, function).restype = result
        getattr(library, function).argtypes = arguments
    return library
