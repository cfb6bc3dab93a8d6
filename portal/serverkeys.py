"""The server's own secrets, kept outside the database.

Whoever can write every row of the database can still not forge what these keys make. They live as
files of mode 0600 in one folder of mode 0700 (`settings.PORTAL_KEYS_DIR`), made by
`manage.py make_server_keys`:

| file              | what                                                                     |
|-------------------|--------------------------------------------------------------------------|
| `countersign.pem` | Ed25519: counter-signs every electronic signature                        |
| `countersign.d/`  | its public half and that of every former one, as `<id>.pem`              |
| `anchor.pem`      | Ed25519: signs the audit trail's anchors                                 |
| `pepper.key`      | 32 bytes that every signing PIN needs beside it                          |
| `inbox.keys`      | Fernet keys for received messages, one a line, newest first              |
| `sealing.pem`     | RSA-3072 key and certificate: seals PDFs                                 |
| `sealing.d/`      | that certificate and every former one, as `<id>.pem`                     |

To replace a key: move its file away, run the command again, restart the processes (they read a file
once). What the old key signed stays verifiable by `countersign.d` and `sealing.d`. Three differ:
- the inbox: put the new key above the old one in the same file;
- the anchor: begin a new anchor file with it; keep the old file and key together for an auditor;
- the pepper cannot be replaced: every signing PIN is lost with it, so it belongs in a backup kept
  apart from the database's.
"""

import datetime as dt
import functools
import hashlib
import os
import re
import secrets
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from cryptography.x509.oid import NameOID

COUNTERSIGN = "countersign.pem"
COUNTERSIGN_PUBLIC = "countersign.d"
ANCHOR = "anchor.pem"
PEPPER = "pepper.key"
INBOX = "inbox.keys"
SEALING = "sealing.pem"
SEALING_PUBLIC = "sealing.d"

PEPPER_BYTES = 32
COMMAND = "manage.py make_server_keys"
# Nobody outside renews this certificate, and a seal must hold as long as the record it seals.
SEALING_YEARS = 30
_KEY_ID = re.compile(r"[0-9a-f]{16}")


class ServerKeyError(Exception):
    """A server key cannot be used; the text names the file and what to do."""


class ServerKeyMissing(ServerKeyError):  # noqa: N818
    """A server key's file is not there."""


class ServerKeyUnusable(ServerKeyError):  # noqa: N818
    """A server key's file can be read by others, or does not hold what it should."""


@dataclass(frozen=True)
class ServerKey:
    """An Ed25519 key of the server, and the id it is known by in what it signed."""

    key_id: str
    private: ed25519.Ed25519PrivateKey

    @property
    def public(self) -> ed25519.Ed25519PublicKey:
        """The half that verifies."""
        return self.private.public_key()


@dataclass(frozen=True)
class SealingCredentials:
    """The RSA key that seals PDFs and its certificate."""

    private: rsa.RSAPrivateKey
    certificate: x509.Certificate


def key_id(public: PublicKeyTypes) -> str:
    """Name a public key: the first 16 hex digits of its SubjectPublicKeyInfo's SHA-256."""
    spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).hexdigest()[:16]


# --- making -------------------------------------------------------------------------------------


def create_missing(directory: Path | str) -> list[str]:
    """Make each secret that `directory` lacks; return the names of the files made, in order.

    Never overwrites: two processes doing this at once end with one set of keys, and a run that was
    cut short is completed by the next. Tightens the folder to mode 0700.
    """
    _forget()
    folder = Path(directory)
    for each in (folder, folder / COUNTERSIGN_PUBLIC, folder / SEALING_PUBLIC):
        each.mkdir(mode=0o700, parents=True, exist_ok=True)
        each.chmod(0o700)
    makers: dict[str, Callable[[], bytes]] = {
        COUNTERSIGN: _new_ed25519,
        ANCHOR: _new_ed25519,
        PEPPER: lambda: secrets.token_bytes(PEPPER_BYTES),
        INBOX: lambda: Fernet.generate_key() + b"\n",
        SEALING: _new_sealing,
    }
    made = [name for name, make in makers.items() if _write_if_absent(folder / name, make)]
    # Read back: another process may have been first. On every run: a former one may have died.
    countersign = _read_ed25519(folder / COUNTERSIGN)
    public_pem = countersign.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    certificate = _read_sealing(folder / SEALING).certificate
    kept = {
        f"{COUNTERSIGN_PUBLIC}/{countersign.key_id}.pem": public_pem,
        f"{SEALING_PUBLIC}/{key_id(certificate.public_key())}.pem": certificate.public_bytes(
            Encoding.PEM
        ),
    }
    for name, content in kept.items():
        if _write_if_absent(folder / name, functools.partial(bytes, content)):
            made.append(name)
    return made


def _forget() -> None:
    for read in (
        _read_ed25519,
        _read_countersign_public,
        _read_pepper,
        _read_inbox,
        _read_sealing,
        _read_certificate,
    ):
        read.cache_clear()


def _write_if_absent(path: Path, make: Callable[[], bytes]) -> bool:
    """Give `path` the whole content at once, or leave what is there; whether it was written."""
    if path.exists():
        return False
    content = make()
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # A link, not a rename: it fails where a rename would replace another process's key.
        os.link(scratch, path)
    except FileExistsError:
        return False
    finally:
        Path(scratch).unlink()
    _sync_folder(path.parent)
    return True


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _new_ed25519() -> bytes:
    key = ed25519.Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _new_sealing() -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=3072)
    public = key.public_key()
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, "Hospital Portal document seal"),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, key_id(public)),
        ]
    )
    # A day early: a reader's clock may be behind ours.
    begins_at = dt.datetime.now(dt.UTC).replace(microsecond=0) - dt.timedelta(days=1)
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,  # the newer name of nonRepudiation
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins_at)
        .not_valid_after(begins_at + dt.timedelta(days=round(SEALING_YEARS * 365.25)))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )
    private_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private_pem + certificate.public_bytes(Encoding.PEM)


# --- reading ------------------------------------------------------------------------------------


def load_countersign(directory: Path | str | None = None) -> ServerKey:
    """The key that counter-signs signatures now. `ServerKeyError` where it cannot be had."""
    return _read_ed25519(_folder(directory) / COUNTERSIGN)


def load_countersign_public(
    countersign_key_id: str, directory: Path | str | None = None
) -> ed25519.Ed25519PublicKey:
    """The public half of the present or a former counter-signing key, by the id a signature names.

    `ServerKeyMissing` where this server never had such a key or has lost it.
    """
    # The id comes out of a database row: it must not be able to name a file elsewhere.
    if not _KEY_ID.fullmatch(countersign_key_id):
        raise ServerKeyMissing(f"{countersign_key_id!r} is not the id of a counter-signing key.")
    return _read_countersign_public(
        _folder(directory) / COUNTERSIGN_PUBLIC / f"{countersign_key_id}.pem"
    )


def load_anchor_key(directory: Path | str | None = None) -> ed25519.Ed25519PrivateKey:
    """The key that signs the audit trail's anchors. `ServerKeyError` where it cannot be had."""
    return _read_ed25519(_folder(directory) / ANCHOR).private


def load_pepper(directory: Path | str | None = None) -> bytes:
    """The 32 secret bytes mixed into every signing PIN. `ServerKeyError` where there are none."""
    return _read_pepper(_folder(directory) / PEPPER)


def load_inbox(directory: Path | str | None = None) -> MultiFernet:
    """Encrypts with the newest key, decrypts with any. `ServerKeyError` where there is none."""
    return _read_inbox(_folder(directory) / INBOX)


def load_sealing(directory: Path | str | None = None) -> SealingCredentials:
    """What seals PDFs now. `ServerKeyError` where it cannot be had."""
    return _read_sealing(_folder(directory) / SEALING)


def load_sealing_certificates(directory: Path | str | None = None) -> list[x509.Certificate]:
    """The present and all former certificates, any of which may have sealed a PDF of ours."""
    folder = _folder(directory) / SEALING_PUBLIC
    certificates = [_read_certificate(path) for path in sorted(folder.glob("*.pem"))]
    if not certificates:
        raise _missing(folder, f"Make it with `{COMMAND}`")
    return certificates


def _folder(directory: Path | str | None) -> Path:
    if directory is None:
        from django.conf import settings

        directory = settings.PORTAL_KEYS_DIR
    return Path(directory)


def _missing(path: Path, remedy: str) -> ServerKeyMissing:
    return ServerKeyMissing(
        f"The server key {path.name} is not in {path.parent}. {remedy}, "
        "or restore it from the backup of the server's keys."
    )


def _content(path: Path, remedy: str = f"Make it with `{COMMAND}`") -> bytes:
    try:
        with path.open("rb") as file:
            open_to_others = os.fstat(file.fileno()).st_mode & 0o077
            content = file.read()
    except FileNotFoundError:
        raise _missing(path, remedy) from None
    except OSError as error:
        raise ServerKeyUnusable(
            f"The server key {path} cannot be read: {error.strerror}."
        ) from error
    if open_to_others:
        raise ServerKeyUnusable(f"Others than its owner can read {path}: set its mode to 0600.")
    return content


def _unusable(path: Path, wanted: str) -> ServerKeyUnusable:
    return ServerKeyUnusable(
        f"{path} does not hold {wanted}: restore it from the backup of the server's keys."
    )


@functools.cache
def _read_ed25519(path: Path) -> ServerKey:
    wanted = "an Ed25519 private key in PEM"
    try:
        private = load_pem_private_key(_content(path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _unusable(path, wanted) from None
    if not isinstance(private, ed25519.Ed25519PrivateKey):
        raise _unusable(path, wanted)
    return ServerKey(key_id(private.public_key()), private)


@functools.cache
def _read_countersign_public(path: Path) -> ed25519.Ed25519PublicKey:
    wanted = f"the Ed25519 public key {path.stem}"
    try:
        public = load_pem_public_key(
            _content(path, "It made signatures that are kept: copy it here")
        )
    except (ValueError, UnsupportedAlgorithm):
        raise _unusable(path, wanted) from None
    if not isinstance(public, ed25519.Ed25519PublicKey) or key_id(public) != path.stem:
        raise _unusable(path, wanted)
    return public


@functools.cache
def _read_pepper(path: Path) -> bytes:
    content = _content(path)
    if len(content) != PEPPER_BYTES:
        raise _unusable(path, f"{PEPPER_BYTES} bytes")
    return content


@functools.cache
def _read_inbox(path: Path) -> MultiFernet:
    wanted = "Fernet keys, one a line"
    lines = _content(path).split()
    try:
        keys = [Fernet(line) for line in lines]
    except ValueError:
        raise _unusable(path, wanted) from None
    if not keys:
        raise _unusable(path, wanted)
    return MultiFernet(keys)


@functools.cache
def _read_sealing(path: Path) -> SealingCredentials:
    wanted = "an RSA private key and its certificate in PEM"
    content = _content(path)
    try:
        private = load_pem_private_key(content, password=None)
        certificate = x509.load_pem_x509_certificate(content)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _unusable(path, wanted) from None
    if not isinstance(private, rsa.RSAPrivateKey) or key_id(private.public_key()) != key_id(
        certificate.public_key()
    ):
        raise _unusable(path, wanted)
    return SealingCredentials(private, certificate)


@functools.cache
def _read_certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(_content(path))
    except ValueError:
        raise _unusable(path, "a certificate in PEM") from None
