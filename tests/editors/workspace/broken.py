"""Ends with an exception."""

rows = bytearray(20 * 1024 * 1024)
raise ValueError("broken on purpose")
