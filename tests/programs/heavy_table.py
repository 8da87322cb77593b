"""A module whose import costs: the table is made while the module is imported."""

TABLE = bytearray(12_000_000)


def scaled(factor):
    return bytearray(len(TABLE) * factor)
