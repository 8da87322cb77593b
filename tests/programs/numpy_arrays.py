"""NumPy arrays: zeros, temporaries of an expression, views and copies."""

import numpy as np
import settle  # noqa: F401

COUNT = 500_000
ONES = np.ones(50_000)
# The first expression with a large temporary makes the library's thread-local variables, and arrays
# that are gone leave their small parts for others.
WARM = [ONES * 2.0 + 1.0 for _ in range(8)]  # memray: may miss what the dynamic loader takes
WARM.clear()


def main():
    # expect: self.peak_bytes=4000000 self.peak_count=1
    base = np.zeros(COUNT)
    # expect: total.peak_bytes~4000000
    ones = np.ones(COUNT)
    # expect: self.peak_bytes~4000000 self.max_bytes<=12010000
    mixed = base * 2.0 + ones * 3.0
    # expect: self.max_bytes<=10000
    view = mixed[::2]
    # expect: self.peak_bytes~2000000
    copy = view.copy()
    # expect: self.peak_bytes~14000000
    rows = np.empty((7, 250_000), dtype=np.float64)
    return float(copy.sum()) + rows.nbytes


print(main())
# requires: numpy
