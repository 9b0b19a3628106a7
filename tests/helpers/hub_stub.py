"""
A Hub small enough to run inside a test: what the real client asks for when it pushes a model or a data set and loads
it again.

It listens on the loopback address, and keeps one commit for each branch of a repository, in memory. Everyone may do
everything, but for whoever comes with the token `REFUSED`. Parquet and safetensors files are large files, put one by
one, and a repository called `FULL` takes none; every other upload is "regular". The repository of a data set has
`datasets/` before its name, a branch other than main has its name behind an @.
"""

import base64
import hashlib
import json
import re
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import unquote, urlsplit


REFUSED, FULL = "hf_refused", "full"
LARGE = (".parquet", ".safetensors")


class Repos(dict[str, dict[str, bytes]]):
    """The files of each branch, and what changes the Hub was asked for, in order: a path and what came with it."""

    def __init__(self):
        super().__init__()
        self.asked: list[tuple[str, bytes]] = []


class Hub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    repos: Repos
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
            "id": repo.partition("@")[0],
            "modelId": repo.partition("@")[0],
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
        files = sorted((path, hashlib.sha1(data).hexdigest()) for path, data in self.repos[repo].items())
        return hashlib.sha1(repr(files).encode()).hexdigest()

    def find(self, name: str, revision: str | None) -> str | None:
        """Under which name a branch or a commit is kept; None, and the answer is given, where there is none."""
        if name not in self.repos:
            self.missing("RepoNotFound")
            return None
        main = revision in (None, "main")
        for kept in [kept for kept in self.repos if kept.partition("@")[0] == name]:
            if kept == (name if main else f"{name}@{revision}") or self.commit(kept) == revision:
                return kept
        self.missing("RevisionNotFound")
        return None

    def do_GET(self):
        path = unquote(urlsplit(self.path).path)
        if path.startswith("/api/whoami"):
            return self.answer({"type": "user", "name": "tester", "orgs": [], "auth": {"type": "access_token"}})
        if match := re.fullmatch(r"/api/(models|datasets)/([^/]+/[^/]+)(?:/revision/([^/]+))?", path):
            repo = self.find(name_of(match[1], match[2]), match[3])
            return self.answer(self.info(repo)) if repo else None
        if match := re.fullmatch(r"/api/(models|datasets)/([^/]+/[^/]+)/tree/([^/]+)/?(.*)", path):
            if (repo := self.find(name_of(match[1], match[2]), match[3])) is None:
                return None
            entries = self.tree(repo, match[4], "recursive=true" in self.path.lower())
            return self.answer(entries) if entries or not match[4] else self.missing("EntryNotFound")
        if match := re.fullmatch(r"/((?:datasets/)?[^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            if (repo := self.find(match[1], match[2])) is None:
                return None
            data = self.repos[repo].get(match[3])
            if data is None:
                return self.missing("EntryNotFound")
            etag = f'"{hashlib.sha1(data).hexdigest()}"'
            return self.answer(data, ETag=etag, X_Repo_Commit=self.commit(repo), length=len(data))
        return self.missing("RepoNotFound")

    do_HEAD = do_GET

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(urlsplit(self.path).path)
        url = f"http://{self.headers['Host']}"
        self.repos.asked.append((path, body))
        if self.headers["Authorization"] == f"Bearer {REFUSED}":
            return self.answer({"error": "Invalid username or password."}, status=401)
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
            modes = {f["path"]: "lfs" if f["path"].endswith(LARGE) else "regular" for f in json.loads(body)["files"]}
            files = [{"path": name, "uploadMode": mode, "shouldIgnore": False} for name, mode in modes.items()]
            return self.answer({"files": files})
        if path.endswith(".git/info/lfs/objects/batch"):
            place = FULL if path.endswith(f"/{FULL}.git/info/lfs/objects/batch") else "large"
            objects = [
                {**asked, "actions": {"upload": {"href": f"{url}/{place}/{asked['oid']}"}}}
                for asked in json.loads(body)["objects"]
            ]
            return self.answer({"transfer": "basic", "objects": objects})
        if match := re.fullmatch(r"/api/(models|datasets)/([^/]+/[^/]+)/branch/([^/]+)", path):
            repo = name_of(match[1], match[2])
            self.repos.setdefault(f"{repo}@{match[3]}", dict(self.repos[repo]))
            return self.answer()
        if match := re.fullmatch(r"/api/(models|datasets)/([^/]+/[^/]+)/commit/([^/]+)", path):
            if (repo := self.find(name_of(match[1], match[2]), match[3])) is None:
                return None
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
        place, _, oid = urlsplit(self.path).path.rpartition("/")
        if place == f"/{FULL}":
            return self.answer({"error": "There is no room left."}, status=400)
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
    repos = Repos()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("ThisHub", (Hub,), {"repos": repos, "large": {}}))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", repos
    finally:
        server.shutdown()
        server.server_close()
