"""Gives CPython's small-object allocator free room, for subjects that import this first.

Without it any line that makes a small object may be the one for which the allocator maps a new
arena of 256 KiB or 1 MiB, and its figures would depend on the interpreter's version, or on the
objects that Memray makes for frames. One block of each arena stays alive, so that the arenas stay
mapped and nearly all of their pools are free.
"""

_blocks = [bytes(400) for _ in range(20_000)]
_kept = _blocks[::500]
del _blocks
