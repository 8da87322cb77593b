"""Compare the tracer's walk of the stack with ``sys._getframe`` where frames are not as simple as usual.

Usage: ``python scene_stacks.py LIBRARY SCENE [REMEMBERED]`` as for ``fuzz_stacks.py``. Scenes are the functions below
``@scene``. Ends with 77 when the interpreter lacks what the scene needs.
"""

import ctypes
import sys
import threading

import frame_oracle as oracle

#: How many stacks of allocations the tracer is to compare by itself.
remembered = int(sys.argv[3]) if len(sys.argv) > 3 else 0

SCENES = {}
#: Whether the tracer may also be asked by a thread that has given up the GIL.
may_drop_gil = True


def scene(function):
    SCENES[function.__name__] = function
    return function


def skip(why):
    print(f"{'%d.%d.%d' % sys.version_info[:3]}: {why}")
    sys.exit(77)


def work(times=3):
    """Comes to a comparison through calls, generators and C, several times, and allocates on the way."""

    def generator(depth):
        for number in range(2):
            yield number + deeper(depth)

    def deeper(depth):
        blocks = [bytes(600 + number) for number in range(3)]
        oracle.compare(keep_gil=depth % 2 == 0 or not may_drop_gil)
        if depth:
            total = sum(generator(depth - 1))
            total += sum(sorted([1, 2], key=lambda _: len(str(depth))))
            return total + max(map(lambda _: deeper(0), (1, 2)))
        return len(blocks)

    try:
        for _ in range(times):
            deeper(2)
            raise_through(generator(1))
    except KeyError:
        deeper(1)


def raise_through(running):
    next(running)
    try:
        running.throw(KeyError("x"))
    except KeyError:
        oracle.compare()


@scene
def subinterpreters():
    try:
        import _interpreters as interpreters
    except ImportError:
        import _xxsubinterpreters as interpreters
    # All of these functions are private to CPython. An isolated interpreter has a GIL of its own, and ctypes can be
    # imported there from 3.13 on.
    kinds = ["legacy"]
    if hasattr(interpreters, "new_config"):
        create, execute = lambda: interpreters.create(kinds[-1]), interpreters.exec
        kinds.append("isolated")
    elif sys.version_info >= (3, 12):
        create, execute = lambda: interpreters.create(isolated=False), interpreters.run_string
    else:
        create, execute = interpreters.create, interpreters.run_string
    inside = (
        "import sys\n"
        f"sys.path[:0] = {sys.path!r}\n"
        f"sys.argv = [{sys.argv[0]!r}, {sys.argv[1]!r}]\n"
        "import scene_stacks as scenes\n"
        "scenes.oracle.load(sys.argv[1])\n"
        # Before 3.12 only the GIL tells in which interpreter a thread is.
        "scenes.may_drop_gil = sys.version_info >= (3, 12)\n"
        "scenes.work(20)\n"
        "assert not scenes.oracle.failures, scenes.oracle.failures[:3]\n"
        "assert scenes.oracle.stacks > 100\n"
    )

    def run(times):
        for _ in range(times):
            number = create()
            try:
                failed = execute(number, inside)
                if failed is not None:
                    oracle.failures.append(failed)
                work(1)
            finally:
                interpreters.destroy(number)

    while kinds:
        run(2)
        threads = [threading.Thread(target=run, args=(2,)) for _ in range(2)]
        threads.append(threading.Thread(target=work, args=(100,)))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        kinds.pop()
    work()


@scene
def foreign_threads():
    """Threads of the C library; ctypes calls `PyGILState_Ensure` for each of them."""
    libc = ctypes.CDLL(None)
    routine = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
    libc.pthread_create.argtypes = (
        ctypes.POINTER(ctypes.c_void_p),
        ctypes.c_void_p,
        routine,
        ctypes.c_void_p,
    )
    libc.pthread_join.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
    began = []

    @routine
    def start(_):
        began.append(threading.get_ident())
        work(10)
        return None

    threads = []
    for _ in range(8):
        thread = ctypes.c_void_p()
        if libc.pthread_create(ctypes.byref(thread), None, start, None) == 0:
            threads.append(thread)
        work(1)
    for thread in threads:
        libc.pthread_join(thread, None)
    assert len(began) == 8


@scene
def asyncio_tasks():
    import asyncio

    async def numbers(count):
        for number in range(count):
            await asyncio.sleep(0)
            oracle.compare()
            yield number

    async def task(depth):
        work(1)
        total = 0
        async for number in numbers(3):
            total += number
        if depth:
            total += sum(await asyncio.gather(*(task(depth - 1) for _ in range(2))))
        oracle.compare()
        return total

    async def cancelled():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            work(1)
            raise

    async def main():
        running = asyncio.ensure_future(cancelled())
        await task(3)
        await asyncio.get_running_loop().run_in_executor(None, work)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        if sys.version_info >= (3, 12):
            asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
            await task(2)
        if sys.version_info >= (3, 11):
            async with asyncio.TaskGroup() as group:
                for _ in range(3):
                    group.create_task(task(1))

    asyncio.run(main())
    asyncio.run(main(), debug=True)


@scene
def greenlets():
    try:
        import gevent
        import gevent.event
        import gevent.pool
    except ImportError as error:
        skip(f"no gevent here ({error})")

    handed_over = gevent.event.Event()

    def run(number):
        for _ in range(5):
            work(1)
            gevent.sleep(0)
            oracle.compare()
        if number:
            gevent.spawn(run, number - 1).join()
            list(gevent.pool.Pool(2).imap(run, [0, 0]))
        handed_over.set()

    gevent.joinall([gevent.spawn(run, 2) for _ in range(4)], raise_error=True)
    handed_over.wait()
    # Greenlets in several threads, and one that is thrown away in the middle.
    threads = [threading.Thread(target=run, args=(1,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gevent.spawn(run, 1)
    gevent.sleep(0)
    work()


@scene
def traced():
    def trace(frame, event, argument):
        if event != "opcode":
            oracle.compare()
        frame.f_trace_opcodes = True
        return trace

    for set_hook in (sys.settrace, sys.setprofile):
        set_hook(trace)
        try:
            work(1)
        finally:
            set_hook(None)
    work()
    if sys.version_info >= (3, 12):
        monitoring = sys.monitoring
        monitoring.use_tool_id(4, "scene")
        events = [
            getattr(monitoring.events, name) for name in ("PY_START", "LINE", "CALL", "PY_RETURN")
        ]
        for event in events:
            monitoring.register_callback(4, event, lambda *_: oracle.compare())
        monitoring.set_events(4, sum(events))
        try:
            work(1)
        finally:
            monitoring.set_events(4, 0)
        work()


@scene
def covered():
    try:
        import coverage
    except ImportError as error:
        skip(f"no coverage here ({error})")
    cores = ["ctrace", "pytrace"] + ["sysmon"] * (sys.version_info >= (3, 12))
    for core in cores:
        measured = coverage.Coverage(data_file=None, branch=core == "ctrace", config_file=False)
        measured.set_option("run:core", core)
        measured.start()
        try:
            work()
        finally:
            measured.stop()
        work(1)


@scene
def debugged():
    """A debugger that goes through every line, and sometimes on at another one."""
    import bdb

    class Debugger(bdb.Bdb):
        jumps = 0

        def user_line(self, frame):
            oracle.compare()
            bytes(700)
            # A remembered stack shows another line only once the frame goes on.
            if (
                frame.f_code.co_name == "jumping"
                and frame.f_locals.get("value") == 1
                and not remembered
            ):
                frame.f_lineno += 1
                self.jumps += 1
            self.set_step()

        def user_return(self, frame, value):
            oracle.compare()
            self.set_step()

        def user_exception(self, frame, info):
            self.set_step()

    def jumping():
        value = 1
        value = remembered or oracle.failures.append("not jumped over")
        value = 2
        oracle.compare()
        return value

    for _ in range(2):
        debugger = Debugger()
        debugger.runcall(work, 1)
        debugger.runcall(jumping)
        assert remembered or debugger.jumps == 1
    work()


def main():
    oracle.load(sys.argv[1])
    oracle.prove()
    SCENES[sys.argv[2]]()
    return oracle.finish(remembered, sys.argv[2])


if __name__ == "__main__":
    sys.exit(main())
