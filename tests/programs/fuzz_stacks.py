"""Compare the tracer's walk of the stack with ``sys._getframe`` on random call graphs.

Usage: ``python fuzz_stacks.py LIBRARY [SEED [STACKS [REMEMBERED]]]``, where LIBRARY is a tracer built with the feature
``frame-oracle``. Prints one line and exits with 0 if every frame of every stack was equal: code object, line, name
and file. Thread names and the deaths of code objects are checked as well.

With REMEMBERED the library must be preloaded and trace the process: then it has compared the stack of every
allocation with one for which all frames were read, with markers in frames, at least so many times.
"""

import ctypes
import functools
import gc
import operator
import random
import sys
import threading

# CPython imports it for names that are not ASCII; in a finalizer that runs during an import, that fails.
import unicodedata  # noqa: F401
import weakref

import frame_oracle as oracle

try:
    import greenlet
except ImportError:
    greenlet = None

oracle.load(sys.argv[1])
with_gil = oracle.with_gil
failures = oracle.failures
seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
wanted = int(sys.argv[3]) if len(sys.argv) > 3 else 20_000
remembered = int(sys.argv[4]) if len(sys.argv) > 4 else 0


class Figures(threading.local):
    """What one thread compared."""

    depth = 0
    # Nothing to compare: a finalizer may run while a thread's figures are being made.
    aim = 0

    def __init__(self):
        self.random = random.Random(seed + threading.get_ident())


figures = Figures()


def compare():
    oracle.compare(keep_gil=figures.random.random() < 0.8)


def step():
    """Compare sometimes, and go deeper sometimes."""
    if oracle.stacks >= figures.aim or failures:
        return 1
    chance = figures.random.random()
    if chance < 0.4:
        compare()
    if figures.depth < 14 and chance > 0.25:
        figures.depth += 1
        try:
            figures.random.choice(SHAPES)()
        finally:
            figures.depth -= 1
    return 1


SHAPES = []


def shape(function):
    SHAPES.append(function)
    return function


@shape
def plain():
    step()


@shape
def recursion(times=3):
    if times:
        return recursion(
            times - 1,
        )
    return step()


@shape
def arguments():
    def inner(a, *rest, key=None, **others):
        return step() + a

    inner(1, 2, 3, key=4, other=5)
    functools.partial(inner, 1)()


@shape
def closure():
    cell = [0]

    def inner():
        cell[0] += step()
        return lambda: (
            cell,
            step(),
        )

    inner()()


def counting():
    for index in range(2):
        try:
            step()
            yield index
        finally:
            step()


@shape
def generator():
    for _ in counting():
        step()


@shape
def generator_closed_early():
    running = counting()
    next(running)
    running.close()


@shape
def generator_not_begun():
    # The exception arises in the frame of a generator that has not reached its body; what makes the generator has not
    # either, and is not shown.
    for _ in range(2):
        try:
            counting().throw(KeyError(step()))
        except KeyError:
            step()
    asynchronous().close()


@shape
def generator_thrown_into():
    running = counting()
    next(running)
    try:
        running.throw(KeyError("x"))
    except KeyError:
        step()


def delegating():
    result = yield from counting()
    step()
    return result


@shape
def delegation():
    list(delegating())


@shape
def sending():
    def receiver():
        while True:
            value = yield step()
            if value is None:
                return

    running = receiver()
    next(running)
    try:
        running.send(1)
        running.send(None)
    except StopIteration:
        step()


class Awaitable:
    def __await__(self):
        step()
        yield 1
        return step()


async def asynchronous(depth=2):
    if depth:
        await asynchronous(depth - 1)
    await Awaitable()
    async with AsyncContext():
        step()
    async for _ in async_counting():
        step()
    return [step() async for _ in async_counting()]


async def async_counting():
    for _ in range(2):
        await Awaitable()
        yield step()


class AsyncContext:
    async def __aenter__(self):
        step()

    async def __aexit__(self, *_):
        step()


@shape
def coroutine():
    running = asynchronous()
    try:
        for _ in range(figures.random.randrange(12)):
            running.send(None)
    except StopIteration:
        step()
    running.close()


@shape
def exceptions():
    def failing():
        try:
            raise ValueError(step())
        finally:
            step()

    try:
        failing()
    except ValueError as error:
        try:
            raise KeyError from error
        except KeyError:
            step()
    else:
        step()


@shape
def exception_through_generator():
    def failing():
        yield step()
        raise ValueError

    try:
        for _ in failing():
            step()
    except ValueError:
        step()


class Everything:
    """An instance whose special methods all lead back here."""

    def __init__(self, value=0):
        self.value = value
        step()

    @property
    def prop(self):
        return step()

    @prop.setter
    def prop(self, _):
        step()

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return step()

    def __getitem__(self, index):
        if index > 2:
            raise IndexError
        return step()

    def __len__(self):
        return step()

    def __add__(self, other):
        return step()

    def __lt__(self, other):
        return bool(step())

    def __eq__(self, other):
        return bool(step())

    def __hash__(self):
        return step()

    def __bool__(self):
        return bool(step())

    def __call__(self, *_):
        return step()

    def __enter__(self):
        return step()

    def __exit__(self, *_):
        step()

    def __format__(self, spec):
        return str(step())

    def __del__(self):
        step()

    @classmethod
    def method_of_class(cls):
        return step()


class Child(Everything):
    def __init__(self):
        super().__init__(step())

    def __new__(cls):
        step()
        return super().__new__(cls)


@shape
def special_methods():
    it = Everything()
    it.prop = it.prop
    it.missing
    it[0]
    len(it)
    it + it
    {it: it}[it]
    it()
    with it:
        step()
    f"{it:x}"
    "{:x}".format(it)
    if it:
        step()
    list(it)


class Simple:
    def __init__(self, value):
        self.value = value
        step()


@shape
def construction():
    # Often enough for the calls to be specialized.
    for index in range(figures.random.choice((1, 1, 40))):
        Child()
        Simple(index)


@shape
def class_methods():
    Everything.method_of_class()
    operator.methodcaller("method_of_class")(Child)


@shape
def sorting():
    sorted([2, 1], key=lambda _: step())
    sorted([Everything(), Everything()])
    min([1, 2], key=lambda _: step())


@shape
def callbacks():
    list(map(lambda _: step(), (1, 2)))
    list(filter(lambda _: step(), (1,)))
    functools.reduce(lambda a, b: step(), (1, 2))


@shape
def comprehensions():
    [step() for _ in (1, 2)]
    {step() for _ in (1,)}
    {1: step() for _ in (1,)}
    sum(step() for _ in (1, 2) if step())
    [[step() for _ in (1,)] for _ in (1, 2)]


@shape
def class_body():
    class Meta(type):
        def __new__(cls, name, bases, names):
            step()
            return super().__new__(cls, name, bases, names)

        def __call__(cls):
            step()
            return super().__call__()

    class Named:
        def __set_name__(self, owner, name):
            step()

    class Body(metaclass=Meta):
        step()
        field = Named()
        values = [step() for _ in (1,)]

        def method(self):
            return step()

    Body().method()


@shape
def executed():
    text = (
        "step()\n\ndef inner():\n    step()\n\ninner()\n"
        + "\n" * figures.random.randrange(300)
        + "step()\n"
    )
    file = figures.random.choice(
        ("<text>", "caf\xe9.py", "\u65e5\u672c.py", "\U0001f40d.py", "bad\udcff.py")
    )
    exec(compile(text, file, "exec"), {"step": step})
    eval("step() + (lambda: step())()")


@shape
def names_of_all_widths():
    exec("def caf\xe9(): step()\ndef \u65e5\u672c(): caf\xe9()\n\u65e5\u672c()", {"step": step})


@shape
def deletion():
    it = Everything()
    it.cycle = it
    del it
    Everything()
    target = plain_object()
    reference = weakref.ref(target, lambda _: step())
    del target
    return reference


def plain_object():
    class Plain:
        pass

    return Plain()


@shape
def dying_code():
    code = compile("def inner(): step()\ninner()", "<dying>", "exec")
    reference = weakref.ref(code, lambda _: step())
    exec(code, {"step": step})
    del code
    return reference


@functools.lru_cache(maxsize=2)
def cached(number):
    return step()


@shape
def caching():
    cached(figures.random.random())


@shape
def traced():
    def trace(frame, event, argument):
        if figures.random.random() < 0.1:
            compare()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        step()
    finally:
        sys.settrace(before)


@shape
def profiled():
    def profile(frame, event, argument):
        if figures.random.random() < 0.1:
            compare()

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        step()
    finally:
        sys.setprofile(before)


class Callee:
    """What calls are specialized for, one after the other at the same place."""

    def __init__(self, number=0):
        self.number = number

    def method(self, number):
        return bytearray(600 + number)

    def __call__(self, number):
        return bytearray(700 + number)

    @property
    def prop(self):
        return bytearray(800)

    def __getitem__(self, number):
        return bytearray(900 + number)


def failing_callee(number):
    if number % 3 == 1:
        raise ValueError(number)
    return bytearray(1000 + number)


def yielding_callee(number):
    yield bytearray(600)
    if number % 3 == 1:
        raise ValueError(number)
    yield bytearray(700)


def one_place(function, number, depth):
    """Comes to the same calls again and again, also after an exception that left operands behind."""
    if depth:
        return one_place(function, number, depth - 1)
    total = 0
    for number in range(number, number + 4):
        try:
            total += len([number, function(number), function(*(number,)), function(number)])
            total += len({"key": len([item for item in yielding_callee(number)])})
            for item in yielding_callee(number):
                total += len(item) + len(failing_callee(number))
        except ValueError:
            total += len(failing_callee(0))
    return total


@shape
def same_calls():
    callee = Callee()
    choices = (
        callee,
        callee.method,
        callee.__getitem__,
        failing_callee,
        Callee,
        len,
        bytearray,
        str,
    )
    for _ in range(3):
        try:
            one_place(figures.random.choice(choices), 1, figures.random.randrange(4))
        except TypeError:
            len(callee.prop)
    step()


def descend(depth):
    """A stack that only walks with remembered frames can afford to read at each allocation."""
    block = bytearray(600)
    if depth:
        for _ in range(1 + (figures.random.random() < 0.02)):
            descend(depth - 1 - (depth > 300 and figures.random.randrange(100)))
    return block


@shape
def deep_recursion():
    if remembered and figures.random.random() < 0.05:
        # Finalizers run in there as well. All that one comes to may be compared in Python, frame by frame, which takes
        # a hundred times as long as on a flat stack.
        aim, figures.aim = figures.aim, 0
        try:
            descend(figures.random.choice((50, 300, 2000)))
        finally:
            figures.aim = aim


@shape
def greenlets():
    if greenlet is None:
        return

    def body(value):
        step()
        parent.switch(value)
        plain()
        parent.switch(value)
        step()

    parent = greenlet.getcurrent()
    running = [greenlet.greenlet(body) for _ in range(2)]
    for _ in range(3):
        for one in running:
            one.switch(1)
            step()


def fuzz(count):
    figures.aim = oracle.stacks + count
    while oracle.stacks < figures.aim and not failures:
        figures.random.choice(SHAPES)()
        oracle.described.clear()


class NamedThread(threading.Thread):
    """Attributes before and after those of ``Thread``."""

    def __init__(self, name, attributes):
        for index in range(attributes):
            setattr(self, f"attribute_{index}", index)
        super().__init__(name=name)
        self.after = 1

    def run(self):
        check_name()


class SlottedThread(threading.Thread):
    __slots__ = ("one", "two")

    def run(self):
        check_name()


names_checked = 0


def own_name():
    out = ctypes.create_string_buffer(1000)
    length = with_gil.heaphint_oracle_thread_name(out, 1000)
    return out.raw[:length].decode()


def check_name():
    global names_checked
    thread = threading.current_thread()
    for rename in (None, "renamed", "\u65e5\u672c", "caf\xe9 \U0001f40d"):
        if rename is not None:
            thread.name = rename
        if own_name() != thread.name:
            failures.append(("thread name", own_name(), thread.name))
        names_checked += 1
    vars(thread)["extra"] = 1
    if own_name() != thread.name:
        failures.append(("thread name with a dictionary", own_name(), thread.name))


def check_thread_names():
    threads = [NamedThread(f"worker {count}", count) for count in (0, 1, 5, 20, 29, 31, 60)]
    threads += [
        SlottedThread(name="slotted"),
        threading.Thread(target=check_name),
        threading.Timer(0, check_name),
    ]
    shrunk = threading.Thread(target=check_name)
    vars(shrunk)
    del shrunk._kwargs
    shrunk._kwargs = {}
    threads.append(shrunk)
    for thread in threads:
        thread.start()
        thread.join()
    if own_name() != "":
        failures.append(("the main thread has a name", own_name()))


def check_deaths():
    last = ctypes.c_size_t()
    before = with_gil.heaphint_oracle_deaths(last)
    for index in range(1000):
        code = compile(f"x = {index}", "<dying>", "exec")
        exec(code, {})
        address = id(code)
        del code
        count = with_gil.heaphint_oracle_deaths(last)
        if last.value != address or count != before + index + 1:
            failures.append(("death of a code object", index, count - before))
            return


def main():
    oracle.prove()
    with_gil.heaphint_oracle_is_finalizing() == 0 or failures.append("finalizing")
    check_deaths()
    check_thread_names()
    sys.setrecursionlimit(4000)
    threading.stack_size(64 << 20)
    # Finalizers then run at many more allocations, also before a function's body has begun.
    gc.set_threshold(20)
    fuzz(wanted // 2)
    sys.setswitchinterval(1e-5)
    threads = [threading.Thread(target=fuzz, args=(wanted // 8,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return oracle.finish(remembered, f"{names_checked} names") or not names_checked


if __name__ == "__main__":
    sys.exit(main())
