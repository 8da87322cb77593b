"""Decorated functions: the wrapper's call line has the total, the body's line the self figures."""

import functools

import settle  # noqa: F401


def logged(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        # expect: total.peak_bytes~5000002 total.allocated_bytes~8000003 total.max_bytes~8000003
        return function(*args, **kwargs)

    return wrapper


def repeated(count):
    def decorate(function):
        def wrapper(size):
            results = []
            for _ in range(count):
                # expect: total.allocated_bytes~6000002 total.max_bytes~6000002
                # expect: total.peak_bytes~3000001
                results.append(function(size))
            return results[-1]

        return wrapper

    return decorate


@functools.lru_cache(maxsize=None)
def cached(size):
    # expect: self.peak_bytes=9000000+1 self.allocated_count=1 self.leaked_bytes=9000000+1
    return bytearray(size)


@logged
def load(size):
    # expect: self.peak_bytes=2000000+1 self.max_bytes=2000000+1
    return bytearray(size)


@logged
@repeated(2)
def render(size):
    # expect: self.max_bytes=6000000+2 self.allocated_count=2 self.allocated_bytes=6000000+2
    # expect: self.leaked_bytes=0
    return bytearray(size)


def main():
    # expect: total.peak_bytes~2000001
    first = load(2_000_000)
    second = render(3_000_000)
    # expect: total.allocated_bytes~9000001
    third = cached(9_000_000)
    # expect: total.allocated_bytes~0
    fourth = cached(9_000_000)
    return len(first) + len(second) + len(third) + len(fourth)


print(main())
