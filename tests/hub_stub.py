"""
A Hub small enough to run inside a test: what the real client asks for when it pushes a model and loads it again.

It listens on the loopback address, keeps one commit for each repository, in memory, and knows nothing about users,
branches or large files (every upload is "regular").
"""

import base64
import hashlib
import json
import re
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import unquote, urlsplit


class Hub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    repos: dict[str, dict[str, bytes]]

    def log_message(self, *_):
        pass

    def answer(self, body=b"", status: int = 200, **headers):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        length = headers.pop("length", len(data))
        for name, value in {"Content-Type": "application/json", "Content-Length": length, **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def missing(self, kind: str):
        self.answer({"error": kind}, status=404, X_Error_Code=kind)

    def info(self, repo: str) -> dict:
        files = self.repos[repo]
        return {
            "_id": "0" * 24,
            "id": repo,
            "modelId": repo,
            "sha": self.commit(repo),
            "private": False,
            "tags": ["custom_code"],
            "siblings": [{"rfilename": path} for path in files],
        }

    def commit(self, repo: str) -> str:
        return hashlib.sha1(repr(sorted(self.repos[repo].items())).encode()).hexdigest()

    def do_GET(self):
        path = unquote(urlsplit(self.path).path)
        if path.startswith("/api/whoami"):
            return self.answer({"type": "user", "name": "tester", "orgs": [], "auth": {"type": "access_token"}})
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(/revision/[^/]+)?", path):
            return self.answer(self.info(match[1])) if match[1] in self.repos else self.missing("RepoNotFound")
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/[^/]+/?(.*)", path):
            files = {name: data for name, data in self.repos[match[1]].items() if name.startswith(match[2])}
            if match[2] and not files:
                return self.missing("EntryNotFound")
            return self.answer([{"type": "file", "path": p, "size": len(d), "oid": "0"} for p, d in files.items()])
        if match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", path):
            if match[1] not in self.repos:
                return self.missing("RepoNotFound")
            data = self.repos[match[1]].get(match[2])
            if data is None:
                return self.missing("EntryNotFound")
            etag = f'"{hashlib.sha1(data).hexdigest()}"'
            return self.answer(data, ETag=etag, X_Repo_Commit=self.commit(match[1]), length=len(data))
        return self.missing("RepoNotFound")

    do_HEAD = do_GET

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(urlsplit(self.path).path)
        url = f"http://{self.headers['Host']}"
        if path == "/api/repos/create":
            asked = json.loads(body)
            repo = f"{asked.get('organization') or 'tester'}/{asked['name']}"
            self.repos.setdefault(repo, {})
            return self.answer({"url": f"{url}/{repo}", "id": repo, "name": repo})
        if path == "/api/validate-yaml":
            return self.answer({"errors": [], "warnings": []})
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/preupload/[^/]+", path):
            files = [
                {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in json.loads(body)["files"]
            ]
            return self.answer({"files": files})
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/[^/]+", path):
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    self.repos[match[1]][line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            oid = self.commit(match[1])
            return self.answer({"success": True, "commitOid": oid, "commitUrl": f"{url}/{match[1]}/commit/{oid}"})
        return self.missing("RepoNotFound")


@contextmanager
def hub_stub():
    """Runs a Hub for as long as the block lasts; gives its address and its repositories."""
    repos: dict[str, dict[str, bytes]] = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("ThisHub", (Hub,), {"repos": repos}))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", repos
    finally:
        server.shutdown()
        server.server_close()
