"""An import costs what the imported module's own lines make."""

import settle  # noqa: F401


def late():
    # expect: total.peak_bytes>=12000001 total.leaked_bytes>=12000001
    import heavy_table

    # expect: total.peak_bytes~24000001
    return heavy_table.scaled(2)


# expect: total.peak_bytes>=36000002
KEPT = late()
print(len(KEPT))
# expect file "heavy_table.py" line 3: self.peak_bytes=12000000+1 self.leaked_bytes=12000000+1
# expect file "heavy_table.py" line 3: total.peak_bytes=12000000+1
# expect file "heavy_table.py" line 7: self.peak_bytes=24000000+1 self.leaked_bytes=24000000+1
