"""One bucket of an S3 service, by botocore: its address, its few calls, and what its errors mean.

botocore and no smaller library because an upload of parts must go on in another process by its id,
and because it finds credentials wherever AWS's own tools do: environment, files, roles.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from botocore.session import Session

from lamina.errors import Unavailable
from lamina.hub.errors import ObjectMissing
from lamina.hub.storage.address import S3Address

__all__ = ["Bucket"]

_CONNECT_S, _READ_S = 5, 60
_DELETED_AT_ONCE = 1000
_HINTS = {
    "NoSuchBucket": "make the bucket, or name another in --storage",
    "AccessDenied": "the keys need s3:GetObject, PutObject, DeleteObject, AbortMultipartUpload,"
    " ListBucket and ListBucketMultipartUploads",
    "InvalidAccessKeyId": "the service does not know this key: look at AWS_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "the secret does not belong to the key: AWS_SECRET_ACCESS_KEY",
    "RequestTimeTooSkewed": "set this machine's clock",
    "SlowDown": "the service is busy; try again",
}
_MISSING = frozenset({"404", "NoSuchKey", "NoSuchUpload", "NotFound"})


@dataclass(frozen=True, slots=True)
class Bucket:
    """The calls the hub makes; keys are without the address's prefix. Safe for many threads."""

    address: S3Address
    _client: Any = field(init=False, repr=False)
    _signer: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Find credentials. No request is made."""
        address = self.address
        session = Session()
        with _asking(address):
            client = _client(session, address, address.endpoint)
            signer = (
                _client(session, address, address.public_endpoint)
                if address.public_endpoint
                else client
            )
        object.__setattr__(self, "_client", client)
        object.__setattr__(self, "_signer", signer)

    def put(self, key: str, data: bytes) -> None:
        """Keep an object; on return it is durable."""
        with _asking(self.address):
            self._client.put_object(**self._named(key), Body=data)

    def get(self, key: str, *, first: int = 0, length: int | None = None) -> BinaryIO:
        """Open an object, or a part of it, for reading; read with `read`.

        Raises: ObjectMissing, EOFError (the part begins after the end).
        """
        wanted = {}
        if first or length is not None:
            wanted["Range"] = f"bytes={first}-{'' if length is None else first + length - 1}"
        with _asking(self.address):
            body: BinaryIO = self._client.get_object(**self._named(key), **wanted)["Body"]
        return body

    def read(self, body: BinaryIO, count: int) -> bytes:
        """Read from what `get` gave; empty at its end. Raises: Unavailable."""
        with _asking(self.address):
            return body.read(count)

    def size(self, key: str) -> int:
        """Give an object's size. Raises: ObjectMissing."""
        with _asking(self.address):
            return int(self._client.head_object(**self._named(key))["ContentLength"])

    def begin_parts(self, key: str) -> str:
        """Begin an upload of parts; give its id."""
        with _asking(self.address):
            return str(self._client.create_multipart_upload(**self._named(key))["UploadId"])

    def put_part(self, key: str, multipart: str, number: int, data: bytes) -> str:
        """Keep a part; give its ETag. Raises: ObjectMissing (the upload ended)."""
        with _asking(self.address):
            answer = self._client.upload_part(
                **self._named(key), UploadId=multipart, PartNumber=number, Body=data
            )
        return str(answer["ETag"])

    def join_parts(self, key: str, multipart: str, parts: list[tuple[int, str]]) -> None:
        """Make an object of parts. Raises: ObjectMissing (the upload ended before)."""
        rows = [{"PartNumber": number, "ETag": etag} for number, etag in parts]
        with _asking(self.address):
            self._client.complete_multipart_upload(
                **self._named(key), UploadId=multipart, MultipartUpload={"Parts": rows}
            )

    def end_parts(self, folder: str) -> None:
        """Give up every upload of parts to a key below `folder`, which ends with a slash."""
        named = {"Bucket": self.address.bucket, "Prefix": self.address.prefix + folder}
        with _asking(self.address):
            found = self._client.list_multipart_uploads(**named).get("Uploads", [])
            for each in found:
                with contextlib.suppress(ObjectMissing), _asking(self.address):
                    self._client.abort_multipart_upload(
                        Bucket=self.address.bucket, Key=each["Key"], UploadId=each["UploadId"]
                    )

    def keys(self, folder: str) -> Iterator[str]:
        """Give the keys of objects below `folder`, which ends with a slash or is empty."""
        prefix = self.address.prefix
        with _asking(self.address):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.address.bucket, Prefix=prefix + folder
            )
            for page in pages:
                for row in page.get("Contents", []):
                    yield str(row["Key"])[len(prefix) :]

    def remove(self, keys: list[str]) -> None:
        """Drop objects; unknown ones are fine."""
        for first in range(0, len(keys), _DELETED_AT_ONCE):
            rows = [
                {"Key": self.address.prefix + key} for key in keys[first : first + _DELETED_AT_ONCE]
            ]
            with _asking(self.address):
                answer = self._client.delete_objects(
                    Bucket=self.address.bucket, Delete={"Objects": rows, "Quiet": True}
                )
            if answer.get("Errors"):
                raise Unavailable(
                    f"the storage does not delete: {answer['Errors'][0].get('Code')}",
                    hint="the hub's keys must allow s3:DeleteObject",
                )

    def link(self, key: str, *, life_s: int) -> str:
        """Give a URL by which anyone may fetch the object for `life_s`. No request is made."""
        with _asking(self.address):
            return str(
                self._signer.generate_presigned_url(
                    "get_object", Params=self._named(key), ExpiresIn=life_s
                )
            )

    def _named(self, key: str) -> dict[str, str]:
        return {"Bucket": self.address.bucket, "Key": self.address.prefix + key}


def _client(session: Session, address: S3Address, endpoint: str) -> Any:  # noqa: ANN401 - botocore makes its classes as it runs
    return session.create_client(
        "s3",
        endpoint_url=endpoint or None,
        region_name=address.region or session.get_config_variable("region") or "us-east-1",
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": address.style},
            retries={"mode": "standard", "max_attempts": 4},
            # other services than Amazon's know no other checksums than the signature's
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            max_pool_connections=64,
            connect_timeout=_CONNECT_S,
            read_timeout=_READ_S,
        ),
    )


@contextlib.contextmanager
def _asking(address: S3Address) -> Iterator[None]:
    """Translate what goes wrong with a request. Raises: ObjectMissing, Unavailable."""
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", "unknown"))
        if code == "InvalidRange":
            raise EOFError from error
        if code in _MISSING:
            raise ObjectMissing(f"the storage has no such object in {address.bucket}") from error
        raise Unavailable(
            f"the storage refuses: {code} (bucket {address.bucket})",
            hint=_HINTS.get(code, "`lamina hub doctor` tries each thing by itself"),
        ) from error
    except NoCredentialsError as error:
        raise Unavailable(
            "there are no keys for the storage",
            hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_SHARED_CREDENTIALS_FILE",
        ) from error
    except (BotoCoreError, ValueError) as error:
        raise Unavailable(f"the storage cannot be reached: {error}") from error
