"""Tests whose outcome differs under heaphint and must: each with its reason.

A row is the module, a part of the test's name, and why no tracer of this kind can pass it.
"""

KNOWN = []
