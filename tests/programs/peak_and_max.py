"""A report job: parsing needs much and gives it back, rendering comes later and needs more."""

import settle  # noqa: F401


def parse():
    # expect: self.peak_bytes=0 self.max_bytes=30000000+1 self.allocated_bytes=30000000+1
    # expect: self.leaked_bytes=0
    # expect: self.allocated_count=1 total.max_bytes=30000000+1 total.peak_bytes=0
    raw = bytearray(30_000_000)
    return len(raw) // 1_000


def render(rows):
    # expect: self.peak_bytes=20000000+1 self.peak_count=1
    # expect: self.max_bytes=20000000+1 self.leaked_bytes=0
    page = bytearray(20_000_000)
    # expect: self.peak_bytes=15000000+1 self.peak_count=1
    # expect: self.max_bytes=15000000+1 self.leaked_bytes=0
    index = bytearray(15_000_000)
    return len(page) + len(index) + rows


def main():
    # expect: total.peak_bytes~0 total.max_bytes~30000001
    rows = parse()
    # expect: total.peak_bytes~35000002 total.max_bytes~35000002 total.allocated_bytes~35000002
    return render(rows)


# expect: total.peak_bytes~35000002 total.allocated_bytes~65000003
print(main())
# expect session: peak_bytes>=35000002 allocated_bytes>=65000003 exit_code=0 complete=true
