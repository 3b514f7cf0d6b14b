"""The source of a drill: the simulator, and a gate before it where a request can be held, refused or answered otherwise."""

import http.client
import http.server
import json
import pathlib
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable

MINUTE = 60_000
KEY = "sim-token"
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}

Answer = tuple[int, dict[str, str], bytes]
# Gets method, path and body of a request; gives an answer in place of the server's, or nothing.
Hook = Callable[[str, str, bytes], Answer | None]


class Gate:
    """Relays requests to a server on loopback, one hook at a time before each."""

    def __init__(self, server: str):
        gate = self
        self.server = server.removeprefix("http://")
        self.hook: Hook | None = None

        class Handler(http.server.BaseHTTPRequestHandler):
            """A request, whichever its method."""

            protocol_version = "HTTP/1.1"

            def relay(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                hook = gate.hook
                status, headers, answer = (hook and hook(self.command, self.path, body)) or gate.ask(
                    self.command, self.path, dict(self.headers.items()), body
                )
                self.send_response_only(status)
                for name, value in headers.items():
                    if name.lower() not in HOP_BY_HOP:
                        self.send_header(name, value)
                # The answer to HEAD tells the length of what it leaves out.
                length = headers.get("Content-Length") or headers.get("content-length")
                self.send_header("Content-Length", length if self.command == "HEAD" and length else str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = relay  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Nothing is said."""

        class Server(http.server.ThreadingHTTPServer):
            """Clients that are killed in mid-request are no news."""

            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                """Nothing is said."""

        self.listener = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.listener.server_port}"
        threading.Thread(target=self.listener.serve_forever, args=(0.05,), daemon=True).start()

    def ask(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """The server's own answer."""
        line = http.client.HTTPConnection(self.server, timeout=60)
        try:
            line.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                if name.lower() not in HOP_BY_HOP:
                    line.putheader(name, value)
            if body or method in ("POST", "PUT"):
                line.putheader("Content-Length", str(len(body)))
            line.endheaders(body or None)
            answer = line.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            line.close()

    def before(self, path: str, word: str, act: Callable[[], object]) -> None:
        """Does something before the first request whose path begins so and whose body has this word."""
        lock, done = threading.Lock(), []

        def hook(_method: str, asked: str, body: bytes) -> None:
            with lock:
                is_first = not done and asked.startswith(path) and word.encode() in body
                if is_first:
                    done.append(asked)
            if is_first:
                act()

        self.hook = hook

    def hold(self, path: str, word: str) -> tuple[threading.Event, threading.Event]:
        """Holds such a request: tells when it has come, and waits until it may go on."""
        come, go_on = threading.Event(), threading.Event()

        def act() -> None:
            come.set()
            go_on.wait(60)

        self.before(path, word, act)
        return come, go_on

    def close(self) -> None:
        """Listens no more."""
        self.listener.shutdown()
        self.listener.server_close()


class Simulator:
    """A simulated organisation of a few hundred records, with a gate before it."""

    def __init__(self, binary: pathlib.Path, switches: dict):
        words = [str(binary), "--messages", "300", "--customers", "120", "--conversations", "150", "--notes", "40"]
        # Its history ends a little before the present, so that everything has settled in the index.
        began = round(time.time() * 1000) - 10 * MINUTE
        words += ["--users", "8", "--start", str(began), "--switches", json.dumps(switches)]
        self.child = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        self.url = self.child.stdout.readline().split()[-1]
        self.gate = Gate(self.url)
        self.set_clock(0)

    def control(self, path: str, body: object = None) -> object:
        """The simulator's own control; without a body it is asked, with one it is told."""
        data = body.encode() if isinstance(body, str) else None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}/_sim/{path}", data), timeout=30) as answer:
            text = answer.read().decode()
        return [json.loads(line) for line in text.splitlines()] if path.startswith("truth/") else json.loads(text)

    def set_clock(self, minutes: float) -> None:
        """So many minutes ahead of the machine's."""
        self.control("clock", {"set": round(time.time() * 1000 + minutes * MINUTE)})

    def in_the_past(self, *changes: tuple[str, object]) -> None:
        """Things that happened ten minutes ago, so that they have settled."""
        self.set_clock(-10)
        for path, body in changes:
            self.control(path, body)
        self.set_clock(0)

    def mutate(self, context: str, operation: str, count: int) -> tuple[str, object]:
        """A change of so many records."""
        return "mutate", {"context": context, "op": operation, "count": count, "seed": 7}

    def count(self, context: str) -> int:
        """How many records there are, those that are marked as deleted included."""
        return len(self.control(f"truth/{context}"))

    def token(self, token: str, **changes: object) -> None:
        """A key that may do what `roles` say, until `expires_at`."""
        roles = "search.create customer.read conversation.read user.read team.read klass.read kobject.read metadata.read"
        all_roles = [f"org.permission.{role}" for role in roles.split()]
        self.control("tokens", {"token": token, "roles": all_roles, **changes})

    def close(self) -> None:
        """Ends it."""
        self.gate.close()
        self.child.terminate()
        self.child.wait(10)
