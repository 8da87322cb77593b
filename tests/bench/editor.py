"""An editor without a window: what the benchmarks of the language server talk to it with."""

import itertools
import json
import os
import queue
import subprocess
import threading
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
PROGRAM = TOP / "target/release/heaphint"
PATIENCE = 600


class Editor:
    """A server and the messages that it sent."""

    def __init__(self, program, capabilities=None):
        self.server = subprocess.Popen(
            [program, "server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.ids = itertools.count(1)
        self.lock = threading.Lock()
        self.answers = {}
        self.finished = queue.Queue()
        self.refreshed = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()
        params = {"processId": os.getpid(), "rootUri": None, "capabilities": capabilities or {}}
        self.ask("initialize", params)
        self.notify("initialized", {})

    def send(self, message):
        body = json.dumps(message).encode()
        with self.lock:
            self.server.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
            self.server.stdin.flush()

    def notify(self, method, params):
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def ask(self, method, params):
        return json.loads(self.ask_raw(method, params)).get("result")

    def ask_raw(self, method, params):
        """The answer as bytes: what it takes to read it is not the server's."""
        number = next(self.ids)
        answer = self.answers[number] = queue.Queue()
        self.send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        body = answer.get(timeout=PATIENCE)
        if b'"error":{' in body[:100]:
            raise RuntimeError(f"{method}: {body.decode()}")
        return body

    def command(self, name, argument):
        return self.ask("workspace/executeCommand", {"command": name, "arguments": [argument]})

    def open(self, path):
        item = {
            "uri": path.as_uri(),
            "languageId": "python",
            "version": 1,
            "text": path.read_text(),
        }
        self.notify("textDocument/didOpen", {"textDocument": item})

    def settings(self, **settings):
        self.notify("workspace/didChangeConfiguration", {"settings": {"heaphint": settings}})

    def hints(self, path, first, end):
        """The request for the hints of some lines."""
        document = {"uri": path.as_uri()}
        start, end = ({"line": line, "character": 0} for line in (first, end))
        return {"textDocument": document, "range": {"start": start, "end": end}}

    def profile(self, path):
        """Profiles a file to its end."""
        run = self.command("heaphint.profile", {"uri": path.as_uri()})["run"]
        while True:
            finished = self.finished.get(timeout=PATIENCE)
            if finished["run"] == run:
                return finished

    def read(self):
        out = self.server.stdout
        while header := out.readline():
            length = int(header.split(b":")[1])
            out.readline()
            body = out.read(length)
            # Answers begin in one of these ways; they are large, and decoded by who asked.
            if b'"method":' not in body[:200]:
                number = json.loads(body)["id"] if len(body) < 200 else number_of(body)
                self.answers.pop(number).put(body)
                continue
            message = json.loads(body)
            if message["method"] == "heaphint/runFinished":
                self.finished.put(message["params"])
            elif "id" in message:
                self.send({"jsonrpc": "2.0", "id": message["id"], "result": None})
                if message["method"] == "workspace/inlayHint/refresh":
                    self.refreshed.put(message)

    def memory(self):
        """The server's resident memory now, MiB."""
        return status(self.server.pid, "VmRSS")

    def cpu(self):
        """The processor's time that the server has used, seconds."""
        fields = Path(f"/proc/{self.server.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self):
        """Ends the server; its exit code."""
        self.ask("shutdown", None)
        self.notify("exit", None)
        return self.server.wait(timeout=60)


def number_of(body):
    """The id of a large answer, which stands at its end or its beginning."""
    for part in (body[-40:], body[:40]):
        _, found, rest = part.partition(b'"id":')
        if found:
            return int(rest.split(b",")[0].rstrip(b"}"))
    return json.loads(body)["id"]


def status(pid, field):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) / 1024


def shares(values, unit=1000):
    """A list's percentiles as words, milliseconds."""
    values = sorted(values)
    words = []
    for share in (0.5, 0.9, 0.99, 1):
        words.append(f"p{share * 100:g} {values[int(share * (len(values) - 1))] * unit:.1f} ms")
    return ", ".join(words)
