"""Class bodies, a metaclass, a property, a descriptor, and the hooks that classes run."""

import settle  # noqa: F401


class Registry(type):
    def __new__(mcs, name, bases, namespace):
        # expect: self.peak_bytes=800000+2 self.allocated_count=2
        namespace["_arena"] = bytearray(400_000)
        return super().__new__(mcs, name, bases, namespace)


# expect: total.peak_bytes>=3400001
class Config(metaclass=Registry):
    # expect: self.peak_bytes=3000000+1 self.leaked_bytes=3000000+1
    table = bytearray(3_000_000)

    class Nested(metaclass=Registry):
        # expect: self.peak_bytes=1000000+1
        cells = bytearray(1_000_000)

    @property
    def fresh(self):
        # expect: self.max_bytes=2000000+1 self.peak_bytes=2000000+1 self.leaked_bytes=0
        return bytearray(2_000_000)

    def __getattr__(self, name):
        # expect: self.allocated_bytes=600000+1 self.peak_bytes=0
        return len(bytearray(600_000))


def main():
    config = Config()
    # expect: total.allocated_bytes~600001
    size = config.missing
    # expect: total.peak_bytes~2000001
    size += len(config.fresh)
    return size


print(main())
