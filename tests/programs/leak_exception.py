"""A retry loop keeps the last error, and with it the frame of the function that failed."""

import settle  # noqa: F401

errors = []


def download():
    # expect: self.leaked_bytes=9000000+1 self.leaked_count=1 self.allocated_count=1
    body = bytearray(9_000_000)
    raise ConnectionError(len(body))


def parse():
    # expect: self.leaked_bytes=0 self.max_bytes=3000000+1
    text = bytearray(3_000_000)
    raise ValueError(len(text))


def attempt(step, keep):
    try:
        # expect: total.leaked_bytes~9000001 total.allocated_bytes~12000002
        step()
    except Exception as error:
        if keep:
            errors.append(error)


def main():
    # expect: total.leaked_bytes~9000001
    attempt(download, True)
    # expect: total.leaked_bytes~0
    attempt(parse, False)


main()
