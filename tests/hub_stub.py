"""
A Hub small enough to run inside a test: what the real client asks for when it pushes a model or a data set and loads
it again.

It listens on the loopback address, keeps one commit for each repository, in memory, and knows nothing about users or
branches. Parquet files are large files, put one by one; every other upload is "regular". The repository of a data set
has `datasets/` before its name.
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
    large: dict[str, bytes]

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

    def tree(self, repo: str, folder: str, recursive: bool) -> list[dict]:
        """What a folder holds."""
        head = f"{folder}/" if folder else ""
        entries = {}
        for path, data in self.repos[repo].items():
            if path.startswith(head):
                inside = path.removeprefix(head).partition("/")[0]
                if recursive or head + inside == path:
                    entries[path] = {"type": "file", "path": path, "size": len(data), "oid": "0"}
                else:
                    entries[head + inside] = {"type": "directory", "path": head + inside, "size": 0, "oid": "0"}
        return list(entries.values())

    def commit(self, repo: str) -> str:
        return hashlib.sha1(repr(sorted(self.repos[repo].items())).encode()).hexdigest()

    def do_GET(self):
        path = unquote(urlsplit(self.path).path)
        if path.startswith("/api/whoami"):
            return self.answer({"type": "user", "name": "tester", "orgs": [], "auth": {"type": "access_token"}})
        if match := re.fullmatch(r"/api/(models|datasets)/([^/]+/[^/]+)(/revision/[^/]+)?", path):
            repo = name_of(match[1], match[2])
            return self.answer(self.info(repo)) if repo in self.repos else self.missing("RepoNotFound")
        if match := re.fullmatch(r"/api/(models|datasets)/([^/]+/[^/]+)/tree/[^/]+/?(.*)", path):
            entries = self.tree(name_of(match[1], match[2]), match[3], "recursive=true" in self.path.lower())
            return self.answer(entries) if entries or not match[3] else self.missing("EntryNotFound")
        if match := re.fullmatch(r"/((?:datasets/)?[^/]+/[^/]+)/resolve/[^/]+/(.+)", path):
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
            repo = name_of(
                asked.get("type", "model") + "s", f"{asked.get('organization') or 'tester'}/{asked['name']}"
            )
            self.repos.setdefault(repo, {})
            return self.answer({"url": f"{url}/{repo}", "id": repo, "name": repo})
        if path == "/api/validate-yaml":
            return self.answer({"errors": [], "warnings": []})
        if match := re.fullmatch(r"/api/(models|datasets)/([^/]+/[^/]+)/preupload/[^/]+", path):
            modes = {
                f["path"]: "lfs" if f["path"].endswith(".parquet") else "regular" for f in json.loads(body)["files"]
            }
            files = [{"path": name, "uploadMode": mode, "shouldIgnore": False} for name, mode in modes.items()]
            return self.answer({"files": files})
        if path.endswith(".git/info/lfs/objects/batch"):
            objects = [
                {**asked, "actions": {"upload": {"href": f"{url}/large/{asked['oid']}"}}}
                for asked in json.loads(body)["objects"]
            ]
            return self.answer({"transfer": "basic", "objects": objects})
        if match := re.fullmatch(r"/api/(models|datasets)/([^/]+/[^/]+)/commit/[^/]+", path):
            repo = name_of(match[1], match[2])
            for line in map(json.loads, body.splitlines()):
                value = line["value"]
                if line["key"] == "file":
                    self.repos[repo][value["path"]] = base64.b64decode(value["content"])
                elif line["key"] == "lfsFile":
                    self.repos[repo][value["path"]] = self.large[value["oid"]]
                elif line["key"] == "deletedFile":
                    del self.repos[repo][value["path"]]
            oid = self.commit(repo)
            return self.answer({"success": True, "commitOid": oid, "commitUrl": f"{url}/{repo}/commit/{oid}"})
        return self.missing("RepoNotFound")

    def do_PUT(self):
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        oid = urlsplit(self.path).path.rpartition("/")[2]
        if hashlib.sha256(data).hexdigest() != oid:
            return self.answer({"error": "not the file that was announced"}, status=400)
        self.large[oid] = data
        return self.answer()


def name_of(kind: str, repo: str) -> str:
    """Under which name a repository is kept."""
    return f"datasets/{repo}" if kind == "datasets" else repo


@contextmanager
def hub_stub():
    """Runs a Hub for as long as the block lasts; gives its address and its repositories."""
    repos: dict[str, dict[str, bytes]] = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("ThisHub", (Hub,), {"repos": repos, "large": {}}))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", repos
    finally:
        server.shutdown()
        server.server_close()
