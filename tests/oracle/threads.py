"""Calls from threads without Python, without the interpreter lock, and at the end of a thread."""

import threading

import oracle
import settle  # noqa: F401


def python_threads():
    def work():
        for _ in range(50):
            # expect: self.allocated_count=200 self.allocated_bytes=3000000
            # expect: self.leaked_bytes=3000000
            oracle.without_gil("malloc", 0, 15_000)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def thread_end():
    def work():
        # expect: self.allocated_count=0
        oracle.at_thread_end(600_000)

    worker = threading.Thread(target=work)
    worker.start()
    worker.join()


def main():
    # Threads that never met Python have no Python line, not even the one that started them: that has
    # only what pthread_create itself needs.
    # expect: self.allocated_bytes<=20000
    started = oracle.threads("malloc", 20_000, 100, 8, 1)
    # expect: self.allocated_bytes<=20000
    started += oracle.threads("valloc", 30_000, 1_000, 8, 0)
    python_threads()
    thread_end()
    # expect: self.peak_bytes=10000000+1
    return started, len(bytearray(10_000_000))


print(main())
# expect session: leaked_bytes>=19000000 peak_bytes>=29000000 allocated_bytes>=269600000
