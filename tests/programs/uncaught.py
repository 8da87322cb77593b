"""A script that ends with a traceback on stderr."""

import settle  # noqa: F401


def convert(text):
    # expect: self.peak_bytes=1500000+1
    buffer = bytearray(1_500_000)
    return int(text) + len(buffer)


# expect: total.peak_bytes~1500001
convert("twelve")
# expect session: exit_code=1 complete=true
