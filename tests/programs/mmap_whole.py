"""Anonymous and file mappings of the mmap module; closing one gives all of it back."""

import mmap
import tempfile

import settle  # noqa: F401

MIB = 1 << 20


def main():
    # expect: self.max_bytes=12582912 self.peak_bytes=0 self.leaked_bytes=0 self.allocated_count=1
    scratch = mmap.mmap(-1, 12 * MIB)
    scratch.close()
    with tempfile.TemporaryFile() as file:
        file.truncate(8 * MIB)
        # expect: self.peak_bytes=8388608 self.peak_count=1 self.leaked_bytes=0
        view = mmap.mmap(file.fileno(), 8 * MIB)
        # expect: self.peak_bytes=9437184 self.leaked_bytes=0
        kept = mmap.mmap(-1, 9 * MIB)
        view.close()
    kept.close()
    return scratch.closed


print(main())
