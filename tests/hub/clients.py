"""A plain client of the distribution API for tests: one request, one answer, nothing clever."""

import base64
import hashlib
import http.client
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlencode

from lamina.spec.wire import Document, decode, encode

__all__ = [
    "CONFIG",
    "DOCKER_MANIFEST",
    "INDEX",
    "LAYER",
    "MANIFEST",
    "PASSWORD",
    "Answer",
    "Client",
    "digest",
    "document",
]

PASSWORD = "correct horse battery"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_PATIENCE_S = 60


def digest(data: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


def document(value: object) -> bytes:
    return encode(value)


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers by lower-case name, body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Document:
        return decode(self.body)

    @property
    def code(self) -> str:
        """The first error's code."""
        return str(self.json["errors"][0]["code"])

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def unnamed(self) -> bytes:
        """The body without its request's id, to compare with others'."""
        return self.body.replace(self.headers["x-request-id"].encode(), b"ID")


@dataclass(frozen=True, slots=True)
class Client:
    """Talks to one hub as one account (Basic), as nobody, or with a bearer token."""

    address: str
    name: str = ""
    password: str = PASSWORD
    token: str = ""
    extra: dict[str, str] = field(default_factory=dict)

    def with_token(self, token: str) -> Self:
        return type(self)(self.address, token=token)

    def request(self, method: str, path: str, body=None, **headers: str) -> Answer:
        """Send; `Content_Type="x"` becomes a header. A body may be bytes or an iterator (chunked)."""
        connection = http.client.HTTPConnection(self.address, timeout=_PATIENCE_S)
        try:
            connection.request(method, path, body, self.headers(headers))
            answer = connection.getresponse()
            names: dict[str, str] = {}
            for key, value in answer.getheaders():  # several of one name: Set-Cookie
                names[key.lower()] = ", ".join(filter(None, (names.get(key.lower()), value)))
            return Answer(answer.status, names, answer.read())
        finally:
            connection.close()

    def headers(self, more: dict[str, str]) -> dict[str, str]:
        found = {key.replace("_", "-"): value for key, value in more.items()} | self.extra
        if self.token:
            found["Authorization"] = f"Bearer {self.token}"
        elif self.name:
            login = base64.b64encode(f"{self.name}:{self.password}".encode()).decode()
            found["Authorization"] = f"Basic {login}"
        return found

    def get(self, path: str, **headers: str) -> Answer:
        return self.request("GET", path, **headers)

    def head(self, path: str, **headers: str) -> Answer:
        return self.request("HEAD", path, **headers)

    def get_token(self, *scopes: str, **query: str) -> Answer:
        fields = [("service", "lamina-hub"), *(("scope", scope) for scope in scopes)]
        return self.get(f"/token?{urlencode([*fields, *query.items()])}")

    def push_blob(self, repository: str, data: bytes) -> str:
        named = digest(data)
        path = f"/v2/{repository}/blobs/uploads/?digest={named}"
        answer = self.request("POST", path, data)
        assert answer.status == 201, answer
        return named

    def begin(self, repository: str) -> str:
        answer = self.request("POST", f"/v2/{repository}/blobs/uploads/")
        assert answer.status == 202, answer
        return answer.headers["location"]

    def put_manifest(
        self, repository: str, reference: str, raw: bytes, media_type: str = MANIFEST
    ) -> Answer:
        path = f"/v2/{repository}/manifests/{reference}"
        return self.request("PUT", path, raw, Content_Type=media_type)

    def image(
        self, repository: str, reference: str = "v1", *, seed: str = "one", arch: str = "amd64"
    ) -> str:
        """Push a small image of two layers made of `seed`; give its digest."""
        raw = self.manifest(repository, seed=seed, arch=arch)
        answer = self.put_manifest(repository, reference or digest(raw), raw)
        assert answer.status == 201, answer
        return answer.headers["docker-content-digest"]

    def manifest(
        self, repository: str, *, seed: str = "one", arch: str = "amd64", **fields: object
    ) -> bytes:
        """Push the blobs of a small image and give its manifest, not pushed yet."""
        layers = [f"{repository} base".encode() * 500, f"{seed} top".encode() * 20]
        config = {
            "architecture": arch,
            "os": "linux",
            "created": "2026-11-20T10:00:00Z",
            "config": {"Cmd": ["python3"], "Env": ["A=b"], "WorkingDir": "/srv"},
            "rootfs": {"type": "layers", "diff_ids": [digest(b"d" + data) for data in layers]},
            "history": [
                {"created": "2026-11-20T10:00:00Z", "created_by": "ADD base.tar / # buildkit"},
                {"created_by": "ENV A=b", "empty_layer": True},
                {"created_by": "RUN /bin/sh -c apt-get install -y <python3> # buildkit"},
            ],
        }
        raw = document(config)
        return document(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": self.descriptor(repository, CONFIG, raw),
                "layers": [self.descriptor(repository, LAYER, data) for data in layers],
                **fields,
            }
        )

    def descriptor(self, repository: str, media_type: str, data: bytes) -> dict[str, object]:
        """Push a blob and describe it."""
        named = self.push_blob(repository, data)
        return {"mediaType": media_type, "digest": named, "size": len(data)}
