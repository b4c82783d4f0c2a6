"""A Hugging Face hub on the loopback address, with the faults that a test asks for.

Repositories are given as {file: bytes}. As on the real hub, large files have their SHA-256 as ETag and are redirected to a
storage server, which is another port; small ones have git's SHA-1 and come from the hub itself.
"""

import hashlib
import http.server
import json
import socket
import threading
import time
from urllib.parse import unquote

LARGE = 100_000  # bytes from which on a file is stored elsewhere


def git_sha1(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def etag(data):
    return hashlib.sha256(data).hexdigest() if len(data) >= LARGE else git_sha1(data)


def commit_of(files):
    return hashlib.sha1(json.dumps({name: etag(data) for name, data in files.items()}).encode()).hexdigest()


# ------------------------------------------------------------------------------- faults: each acts on one request --


def answers(code, **headers):
    """Another status; X_Error_Code="..." becomes a header."""
    def act(handler, data):
        handler.reply(code, {name.replace("_", "-"): value for name, value in headers.items()}, b"no")
    return act


def cut_after(n):
    """Announces everything, sends n bytes, closes the connection."""
    def act(handler, data):
        handler.send_file(data, upto=n)
        handler.close_connection = True
        handler.connection.shutdown(socket.SHUT_RDWR)
    return act


def stalls_after(n, seconds):
    """Silent after n bytes, until the test releases it; then the rest."""
    def act(handler, data):
        handler.send_file(data, upto=n)
        handler.server.hub.stalled.set()
        handler.server.hub.released.wait(seconds)
        handler.wfile.write(data[n:])
        handler.close_connection = True
    return act


def trickles(pieces, pause):
    def act(handler, data):
        handler.send_file(data, upto=0)
        size = -(-len(data) // pieces)
        for i in range(0, len(data), size):
            handler.wfile.write(data[i:i + size])
            handler.wfile.flush()
            time.sleep(pause)
    return act


def sends(other):
    """Other bytes under the same headers."""
    def act(handler, data):
        handler.send_file(other)
    return act


def ignores_range(handler, data):
    handler.send_file(data, whole=True)


def normal(handler, data):
    handler.send_file(data)


# ------------------------------------------------------------------------------------------------------- servers --


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def reply(self, code, headers, body):
        self.send_response(code)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)
            self.wfile.flush()

    def send_file(self, data, upto=None, whole=False):
        spec = self.headers.get("Range")
        first = int(spec.removeprefix("bytes=").removesuffix("-")) if spec and not whole else 0
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(len(data) - first))
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        for name, value in self.file_headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data[first:] if upto is None else data[first:first + upto])
            self.wfile.flush()

    def serve(self):
        self.file_headers = {}
        try:
            self.server.answer(self)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = do_HEAD = serve


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, hub, answer):
        super().__init__(("127.0.0.1", 0), Handler)
        self.hub, self.answer = hub, answer
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def get_request(self):
        self.hub.connections += 1
        return super().get_request()

    def handle_error(self, request, client_address):
        pass  # a client that goes away in the middle


class Hub:
    """hub.repositories[name] = {revision: commit}, hub.commits[name, commit] = {file: bytes}."""

    def __init__(self):
        self.connections = 0
        self.requests = []  # (server, method, repository or None, file, headers)
        self.repositories, self.commits, self.faults = {}, {}, {}
        self.token = None   # when set, needed for everything
        self.extra_headers = {}
        self.stalled, self.released = threading.Event(), threading.Event()
        self.lock = threading.Lock()
        self.front, self.storage = Server(self, self.answer_front), Server(self, self.answer_storage)
        self.url = self.front.url

    def close(self):
        self.released.set()
        for server in self.front, self.storage:
            server.shutdown()
            server.server_close()

    def add(self, name, files, revision="main"):
        commit = commit_of(files)
        self.repositories.setdefault(name, {})[revision] = commit
        self.commits[name, commit] = files
        return commit

    def fault(self, method, file, *acts):
        """What happens to the next such requests, one after the other."""
        self.faults.setdefault((method, file), []).extend(acts)

    def count(self, method, file):
        """How many were answered, not counting those that led away."""
        return len([r for r in self.requests if r[1:4:2] == (method, file)])

    def _act(self, handler, file, data, default):
        with self.lock:
            queue = self.faults.get((handler.command, file), [])
            act = queue.pop(0) if queue else default
        act(handler, data)

    def answer_front(self, handler):
        repository, _, rest = handler.path.lstrip("/").partition("/resolve/")
        revision, _, file = rest.partition("/")
        revision = unquote(revision)
        authorization = handler.headers.get("Authorization")
        commit = self.repositories.get(repository, {}).get(revision, revision)
        files = self.commits.get((repository, commit))
        data = (files or {}).get(file)
        leads_away = data is not None and len(data) >= LARGE
        if not (leads_away and handler.command == "GET"):
            self.requests.append(("front", handler.command, repository, file, handler.headers))
        if self.token and authorization != f"Bearer {self.token}":
            code = "RepoNotFound" if not authorization else ""
            return handler.reply(401, {"X-Error-Code": code, "X-Error-Message": "Invalid credentials"}, b"")
        if repository not in self.repositories:
            return self._act(handler, file, b"", answers(404, X_Error_Code="RepoNotFound"))
        if files is None:
            return handler.reply(404, {"X-Error-Code": "RevisionNotFound"}, b"")
        if data is None:
            return handler.reply(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit}, b"")
        handler.file_headers = {"X-Repo-Commit": commit, "ETag": f'"{etag(data)}"', **self.extra_headers}
        if leads_away:
            away = {**handler.file_headers, "X-Linked-Etag": f'"{etag(data)}"', "X-Linked-Size": str(len(data)),
                    "ETag": '"not-the-checksum"', "Location": f"{self.storage.url}/{repository}/{commit}/{file}"}
            def redirect(handler, data):
                handler.reply(302, {**away, **self.extra_headers}, b"Found")
            if handler.command == "HEAD":
                return self._act(handler, file, data, redirect)
            return redirect(handler, data)
        return self._act(handler, file, data, normal)

    def answer_storage(self, handler):
        path, _, file = handler.path.strip("/").rpartition("/")
        repository, _, commit = path.rpartition("/")
        self.requests.append(("storage", handler.command, repository, file, handler.headers))
        self._act(handler, file, self.commits[repository, commit][file], normal)
