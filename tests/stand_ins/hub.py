"""A hub of agents on this machine: an HTTP server with the part of the hub's protocol that the real client speaks."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

USER = "me"
"""The user of the token."""


class Hub:
    """Repositories in memory: name → list of commits, each of which is name of a file → bytes."""

    def __init__(self) -> None:
        self.repositories: dict[str, list[dict[str, bytes]]] = {}
        self.private: dict[str, bool] = {}
        self.messages: list[str] = []
        self.token: str | None = None
        """If set, requests without it are refused."""
        hub = self

        class Handler(_Handler):
            served = hub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def files(self, name: str) -> dict[str, bytes]:
        """The files of the newest commit."""
        return self.repositories[name][-1]

    def commit(self, name: str, files: dict[str, bytes]) -> None:
        """Replace all files of a repository."""
        self.repositories.setdefault(name, []).append(files)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _sha(name: str, number: int) -> str:
    return hashlib.sha1(f"{name} {number}".encode()).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served: Hub

    def log_message(self, *args: Any) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        if self._refused():
            return
        match path:
            case ["api", "models", user, name]:
                self._info(f"{user}/{name}", "main")
            case ["api", "models", user, name, "revision", revision]:
                self._info(f"{user}/{name}", revision)
            case ["api", "models", user, name, "tree", revision, *_]:
                self._tree(f"{user}/{name}", revision)
            case [user, name, "resolve", revision, *parts]:
                self._file(f"{user}/{name}", revision, "/".join(parts))
            case _:
                self._answer(404, {"error": f"unknown: {self.path}"})

    def do_POST(self) -> None:
        path = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self._refused():
            return
        match path:
            case ["api", "repos", "create"]:
                self._create(json.loads(body))
            case ["api", "validate-yaml"]:
                self._answer(200, {"errors": [], "warnings": []})
            case ["api", "models", _, _, "preupload", _]:
                files = json.loads(body)["files"]
                modes = [{"path": file["path"], "uploadMode": "regular", "shouldIgnore": False} for file in files]
                self._answer(200, {"files": modes})
            case ["api", "models", user, name, "commit", _]:
                self._commit(f"{user}/{name}", [json.loads(line) for line in body.splitlines()])
            case _:
                self._answer(404, {"error": f"unknown: {self.path}"})

    def _refused(self) -> bool:
        token = self.served.token
        if token is None or self.headers.get("Authorization") == f"Bearer {token}":
            return False
        self._answer(401, {"error": "Invalid username or password."})
        return True

    def _version(self, name: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
        commits = self.served.repositories.get(name)
        if commits is None:
            self._answer(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
            return None
        known = {_sha(name, number): files for number, files in enumerate(commits)}
        sha = _sha(name, len(commits) - 1) if revision == "main" else revision
        if sha not in known:
            self._answer(404, {"error": "Revision not found"}, {"X-Error-Code": "RevisionNotFound"})
            return None
        return sha, known[sha]

    def _info(self, name: str, revision: str) -> None:
        version = self._version(name, revision)
        if version is not None:
            sha, files = version
            siblings = [{"rfilename": file, "size": len(content)} for file, content in files.items()]
            self._answer(200, {"id": name, "modelId": name, "sha": sha, "siblings": siblings, "private": False})

    def _tree(self, name: str, revision: str) -> None:
        version = self._version(name, revision)
        if version is not None:
            entries = [
                {"type": "file", "path": path, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                for path, content in version[1].items()
            ]
            self._answer(200, entries)

    def _file(self, name: str, revision: str, path: str) -> None:
        version = self._version(name, revision)
        if version is None:
            return
        sha, files = version
        if path not in files:
            self._answer(404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": sha})
            return
        tag = f'"{hashlib.sha1(files[path]).hexdigest()}"'
        self._send(200, files[path], {"ETag": tag, "X-Repo-Commit": sha, "Accept-Ranges": "bytes"})

    def _create(self, wanted: dict[str, Any]) -> None:
        name = f"{wanted.get('organization') or USER}/{wanted['name']}"
        if name in self.served.repositories:
            self._answer(409, {"error": "You already created this model repo", "url": f"{self.served.address}/{name}"})
            return
        self.served.commit(name, {".gitattributes": b""})
        self.served.private[name] = bool(wanted.get("private")) or wanted.get("visibility") == "private"
        self._answer(200, {"url": f"{self.served.address}/{name}", "name": name, "id": name})

    def _commit(self, name: str, lines: list[dict[str, Any]]) -> None:
        files = dict(self.served.files(name))
        for line in lines:
            value = line["value"]
            if line["key"] == "header":
                self.served.messages.append(value["summary"])
            elif line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "deletedFile":
                del files[value["path"]]
        self.served.commit(name, files)
        sha = _sha(name, len(self.served.repositories[name]) - 1)
        self._answer(
            200, {"success": True, "commitOid": sha, "commitUrl": f"{self.served.address}/{name}/commit/{sha}"}
        )

    def _answer(self, status: int, content: Any, headers: dict[str, str] | None = None) -> None:
        self._send(status, json.dumps(content).encode(), {"Content-Type": "application/json", **(headers or {})})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
