"""Load on the language server: several editors that type while programs run, and how long answers take.

    python3 tests/bench/editor_load.py [--clients 4] [--seconds 10] [--edits 2500] [--lines 2000] [--runs 3]

Each client has a server of its own and a document with a figure on every other line; it sends so many edits a second,
asks for hints meanwhile, and starts runs that it cancels or lets end. Prints the latencies of hint requests and the
server's memory; it judges neither. Ends with 1 when an edit was lost, a run had no end, or a server did not go.
"""

import argparse
import itertools
import json
import os
import queue
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]


class Editor:
    """An editor without a window."""

    def __init__(self, program):
        self.server = subprocess.Popen(
            [program, "server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.ids = itertools.count(1)
        self.lock = threading.Lock()
        self.answers = {}
        self.finished = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()
        self.ask("initialize", {"processId": os.getpid(), "rootUri": None, "capabilities": {}})
        self.notify("initialized", {})

    def send(self, message):
        body = json.dumps(message).encode()
        with self.lock:
            self.server.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
            self.server.stdin.flush()

    def notify(self, method, params):
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def ask(self, method, params):
        number = next(self.ids)
        answer = self.answers[number] = queue.Queue()
        self.send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        message = answer.get(timeout=120)
        if "error" in message:
            raise RuntimeError(f"{method}: {message['error']}")
        return message["result"]

    def command(self, name, argument):
        return self.ask("workspace/executeCommand", {"command": name, "arguments": [argument]})

    def read(self):
        out = self.server.stdout
        while header := out.readline():
            length = int(header.split(b":")[1])
            out.readline()
            message = json.loads(out.read(length))
            if "method" not in message:
                self.answers.pop(message["id"]).put(message)
            elif message["method"] == "heaphint/runFinished":
                self.finished.put(message["params"])
            elif "id" in message:
                self.send({"jsonrpc": "2.0", "id": message["id"], "result": None})

    def memory(self):
        """The server's resident memory now, MiB."""
        lines = Path(f"/proc/{self.server.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


def type_and_run(options, folder, latencies, problems):
    path = folder / "app.py"
    rows = ["kept = []"]
    for i in range(options.lines // 2):
        rows += [f"kept.append(bytearray({1000 + i}))", f"x{i} = {i}"]
    rows.append("import time; time.sleep(1)")
    path.write_text("\n".join(rows) + "\n")
    uri = path.as_uri()
    editor = Editor(options.program)
    hints = {"figure": "allocated", "minimumBytes": 1}
    settings = {"settings": {"heaphint": {"inlayHints": hints}}}
    editor.notify("workspace/didChangeConfiguration", settings)
    item = {"uri": uri, "languageId": "python", "version": 1, "text": path.read_text()}
    editor.notify("textDocument/didOpen", {"textDocument": item})
    editor.command("heaphint.profile", {"uri": uri})
    editor.finished.get(timeout=120)
    before = editor.memory()
    begin = time.monotonic()
    version, started, runs_due = (
        1,
        1,
        [begin + i * options.seconds / options.runs for i in range(options.runs)],
    )
    generator = random.Random(str(folder))
    while (now := time.monotonic()) < begin + options.seconds:
        if runs_due and now >= runs_due[0]:
            runs_due.pop(0)
            run = editor.command("heaphint.profile", {"uri": uri})["run"]
            started += 1
            if generator.random() < 0.5:
                editor.command("heaphint.cancel", {"run": run})
        while version < options.edits * (time.monotonic() - begin):
            # A character comes and goes at the end of some line, so the text stays bounded.
            row = generator.randrange(len(rows))
            end = {"line": row, "character": 1_000_000}
            for text, start in (("#", end), ("", {"line": row, "character": len(rows[row])})):
                change = {"range": {"start": start, "end": end}, "text": text}
                version += 1
                identifier = {"uri": uri, "version": version}
                editor.notify(
                    "textDocument/didChange",
                    {"textDocument": identifier, "contentChanges": [change]},
                )
        whole = {"start": {"line": 0, "character": 0}, "end": {"line": 60, "character": 0}}
        asked = time.monotonic()
        editor.ask("textDocument/inlayHint", {"textDocument": {"uri": uri}, "range": whole})
        latencies.append(time.monotonic() - asked)
        time.sleep(0.01)
    # The last run is one that ends: its figures are those of every line.
    editor.command("heaphint.profile", {"uri": uri})
    for _ in range(started):
        editor.finished.get(timeout=120)
    # Nothing was lost when every line is what it was: then no figure is old.
    hints = editor.ask(
        "textDocument/inlayHint",
        {
            "textDocument": {"uri": uri},
            "range": {
                "start": {"line": 0, "character": 0},
                "end": {"line": len(rows), "character": 0},
            },
        },
    )
    old = [hint["label"] for hint in hints if hint["label"].endswith("(old)")]
    if not hints or old:
        problems.append(f"{len(hints)} hints, of which {len(old)} are old")
    after = editor.memory()
    print(
        f"{folder.name}: {version} edits, {started} runs, {before:.0f} MiB before and {after:.0f} after"
    )
    editor.ask("shutdown", None)
    editor.notify("exit", None)
    if editor.server.wait(timeout=30) != 0:
        problems.append(f"the server ended with {editor.server.returncode}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default=str(TOP / "target/release/heaphint"))
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--edits", type=float, default=2500, help="a second, of each client")
    parser.add_argument("--lines", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=3, help="of each client")
    options = parser.parse_args()
    latencies, problems = [], []
    with tempfile.TemporaryDirectory() as top:
        clients = []
        for number in range(options.clients):
            folder = Path(top, f"client-{number}")
            folder.mkdir()
            (folder / "pyproject.toml").touch()
            clients.append(
                threading.Thread(target=type_and_run, args=(options, folder, latencies, problems))
            )
        for client in clients:
            client.start()
        for client in clients:
            client.join()
    if latencies:
        latencies.sort()
        shown = {
            share: latencies[int(share * (len(latencies) - 1))] for share in (0.5, 0.9, 0.99, 1)
        }
        words = ", ".join(
            f"p{share * 100:g} {seconds * 1000:.1f} ms" for share, seconds in shown.items()
        )
        print(f"{len(latencies)} hint requests: {words}")
    else:
        problems.append("no request was answered")
    print("\n".join(problems) or "nothing was lost")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
