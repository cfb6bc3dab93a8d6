"""The cryptography of electronic signatures: pure functions over bytes and keys.

A signature is three things, each over the one before:

1. the *document*: what the signer saw, as canonical JSON, and its SHA-256 (`canonical`, `digest`);
2. the *proof*: of an RSA-3072 key that only the signing PIN and the server's pepper together open,
   over a `Statement` (document, who, what it means, when); or of a passkey, over an intent
   (`intents`: who, what it means, the document as it was seen, when asked);
3. the *counter-signature*: the server's Ed25519 key over the whole `CounterSigned`, proof included.

Nothing here reads a clock, a setting or a row. Keys come from `portal.serverkeys` by the caller.
"""

import base64
import binascii
import datetime as dt
import os
import re
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import Any

from argon2.exceptions import HashingError
from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidSignature, InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_pem_public_key,
)

from portal.serverkeys import PEPPER_BYTES, ServerKey, key_id
from portal.signing.canonical import (
    ABSENT,
    Change,
    NotCanonicalError,
    canonical,
    changed_fields,
    digest,
    plain,
)

__all__ = [
    "ABSENT",
    "PIN_LONGEST",
    "PIN_SHORTEST",
    "RFC_9106_SECOND",
    "Argon2Parameters",
    "Change",
    "CounterSigned",
    "NotCanonicalError",
    "OpenKey",
    "PinProblem",
    "ProofMethod",
    "SealedKey",
    "SealedKeyBroken",
    "Statement",
    "WeakPin",
    "WrongPin",
    "canonical",
    "change_pin",
    "changed_fields",
    "check_pin_rules",
    "countersign",
    "create_user_key",
    "digest",
    "open_and_sign",
    "open_key",
    "plain",
    "verify_countersign",
    "verify_user",
]

# DR, decision 8: at least 8 characters.
PIN_SHORTEST = 8
PIN_LONGEST = 12
_LONGEST_RUN = 4
_RSA_BITS = 3072
_ENVELOPE_VERSION = 1
_PSS = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=padding.PSS.DIGEST_LENGTH)


# --- the PIN ------------------------------------------------------------------------------------


class PinProblem(StrEnum):
    """Why a PIN is refused; the caller words it for the user."""

    NOT_DIGITS = "not_digits"
    LENGTH = "length"
    RUN = "run"
    REPETITION = "repetition"
    SAME = "same"


class WeakPin(ValueError):  # noqa: N818
    """A PIN breaks a rule; `problem` says which. The PIN itself is never in the text."""

    def __init__(self, problem: PinProblem) -> None:
        self.problem = problem
        super().__init__(f"the signing PIN is refused: {problem}")


class WrongPin(Exception):  # noqa: N818
    """The PIN does not open this key.

    A malformed PIN, a wrong one, another server's pepper and a damaged ciphertext cost the same
    work and give the same text: nothing tells them apart.
    """

    def __init__(self) -> None:
        super().__init__("The signing PIN is wrong.")


def check_pin_rules(pin: str) -> None:
    """Refuse with `WeakPin` a PIN that is not 8 to 12 digits or that is easily guessed.

    Easily guessed is one with more than four digits in a row equal, rising or falling by one
    (9 followed by 0 counts), or one that is a shorter piece repeated (12121212, 19841984).
    """
    if not re.fullmatch(r"[0-9]*", pin):
        raise WeakPin(PinProblem.NOT_DIGITS)
    if not PIN_SHORTEST <= len(pin) <= PIN_LONGEST:
        raise WeakPin(PinProblem.LENGTH)
    steps = [(int(later) - int(digit)) % 10 for digit, later in pairwise(pin)]
    for start in range(len(steps) - _LONGEST_RUN + 1):
        run = set(steps[start : start + _LONGEST_RUN])
        if len(run) == 1 and run <= {0, 1, 9}:
            raise WeakPin(PinProblem.RUN)
    if re.fullmatch(r"(.+)\1+", pin):
        raise WeakPin(PinProblem.REPETITION)


# --- the signer's key ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Argon2Parameters:
    """How dear one guess at a PIN is."""

    time_cost: int
    memory_cost_kib: int
    parallelism: int


# The second recommended option of RFC 9106, section 4, for where 2 GiB a guess is too much.
RFC_9106_SECOND = Argon2Parameters(time_cost=3, memory_cost_kib=65536, parallelism=4)
# A row that was tampered with must not make the server take all its memory.
_GREATEST = Argon2Parameters(time_cost=16, memory_cost_kib=1048576, parallelism=16)


@dataclass(frozen=True)
class SealedKey:
    """A user's signing key as it is stored: the public half, and the private one under lock.

    `envelope` is JSON: version, Argon2id parameters and salt, nonce and ciphertext (base64).
    """

    key_id: str
    public_pem: str
    envelope: dict[str, Any]


class SealedKeyBroken(Exception):  # noqa: N818
    """What is stored is not a sealed key of ours: damaged, tampered with, or of a newer version."""


def create_user_key(
    pin: str, pepper: bytes, *, parameters: Argon2Parameters = RFC_9106_SECOND
) -> SealedKey:
    """Make an RSA-3072 key pair whose private half only `pin` and `pepper` together open.

    `WeakPin` where the PIN breaks a rule.
    """
    check_pin_rules(pin)
    private = rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS)
    secret = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    public_pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    name = key_id(private.public_key())
    return _seal(secret, name, public_pem.decode(), pin, pepper, parameters)


@dataclass(frozen=True)
class OpenKey:
    """A signer's key, opened: held in memory for one act, never stored, never shown."""

    key_id: str
    private: rsa.RSAPrivateKey = field(repr=False)

    def sign(self, data: bytes) -> bytes:
        """RSA-PSS over `data`: SHA-256, salt of 32 bytes."""
        return self.private.sign(data, _PSS, hashes.SHA256())


def open_key(sealed: SealedKey, pin: str, pepper: bytes) -> OpenKey:
    """Open `sealed` with its PIN: the dear part of signing, to be done while no row is locked.

    `WrongPin`, or `SealedKeyBroken` where no PIN could open it. Counting attempts is the caller's.
    """
    private = load_der_private_key(_open(sealed, pin, pepper), password=None)
    if not isinstance(private, rsa.RSAPrivateKey) or key_id(private.public_key()) != sealed.key_id:
        raise SealedKeyBroken("the sealed key is another than the one it is stored as")
    return OpenKey(sealed.key_id, private)


def open_and_sign(sealed: SealedKey, pin: str, pepper: bytes, data: bytes) -> bytes:
    """Sign `data` with the key that `pin` opens. Errors as `open_key`."""
    return open_key(sealed, pin, pepper).sign(data)


def change_pin(
    sealed: SealedKey,
    old: str,
    new: str,
    pepper: bytes,
    *,
    parameters: Argon2Parameters = RFC_9106_SECOND,
) -> SealedKey:
    """Put the same key under another PIN, with a new salt; former signatures stay verifiable.

    `WrongPin` where `old` does not open it, `WeakPin` where `new` breaks a rule or is `old`.
    """
    secret = _open(sealed, old, pepper)
    check_pin_rules(new)
    if new == old:
        raise WeakPin(PinProblem.SAME)
    return _seal(secret, sealed.key_id, sealed.public_pem, new, pepper, parameters)


def verify_user(public_pem: str, data: bytes, proof: bytes) -> bool:
    """Whether `proof` is the signature over `data` of the RSA key `public_pem` (3072 bits up)."""
    try:
        public = load_pem_public_key(public_pem.encode())
        if not isinstance(public, rsa.RSAPublicKey) or public.key_size < _RSA_BITS:
            return False
        public.verify(proof, data, _PSS, hashes.SHA256())
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return False
    return True


def _seal(
    secret: bytes,
    name: str,
    public_pem: str,
    pin: str,
    pepper: bytes,
    parameters: Argon2Parameters,
) -> SealedKey:
    _check_pepper(pepper)
    salt, nonce = os.urandom(16), os.urandom(12)
    head = {
        "version": _ENVELOPE_VERSION,
        "kdf": "argon2id+hkdf-sha256",
        "cipher": "aes-256-gcm",
        **asdict(parameters),
        "salt": _to_text(salt),
    }
    key = _locking_key(pin, pepper, salt, parameters)
    locked = AESGCM(key).encrypt(nonce, secret, _bound(head, name, public_pem))
    envelope = {**head, "nonce": _to_text(nonce), "ciphertext": _to_text(locked)}
    return SealedKey(name, public_pem, envelope)


def _open(sealed: SealedKey, pin: str, pepper: bytes) -> bytes:
    _check_pepper(pepper)
    head = dict(sealed.envelope)
    try:
        locked, nonce = (_to_bytes(head.pop(part)) for part in ("ciphertext", "nonce"))
        salt = _to_bytes(head["salt"])
        parameters = Argon2Parameters(
            **{name: int(head[name]) for name in Argon2Parameters.__annotations__}
        )
    except (KeyError, TypeError, ValueError) as error:
        raise SealedKeyBroken("a part of the sealed key is missing or unreadable") from error
    if head.get("version") != _ENVELOPE_VERSION:
        raise SealedKeyBroken(f"a sealed key of version {head.get('version')!r} is not known here")
    allowed = asdict(_GREATEST).items()
    if any(not 1 <= asdict(parameters)[name] <= greatest for name, greatest in allowed):
        raise SealedKeyBroken("the sealed key asks for more work than any key of ours")
    # No look at the PIN first: a malformed one costs what a well-formed wrong one does.
    try:
        key = _locking_key(pin, pepper, salt, parameters)
        return AESGCM(key).decrypt(nonce, locked, _bound(head, sealed.key_id, sealed.public_pem))
    except InvalidTag:
        raise WrongPin from None
    except (HashingError, ValueError) as error:
        raise SealedKeyBroken("a part of the sealed key has a wrong length or value") from error


def _check_pepper(pepper: bytes) -> None:
    if len(pepper) != PEPPER_BYTES:
        raise ValueError(f"the pepper has {len(pepper)} bytes, not {PEPPER_BYTES}")


def _locking_key(pin: str, pepper: bytes, salt: bytes, parameters: Argon2Parameters) -> bytes:
    """HKDF-SHA256 with the pepper as its secret salt, over Argon2id of the PIN: both are needed."""
    stretched = hash_secret_raw(
        pin.encode("utf-8", "surrogatepass"),
        salt,
        time_cost=parameters.time_cost,
        memory_cost=parameters.memory_cost_kib,
        parallelism=parameters.parallelism,
        hash_len=32,
        type=Type.ID,
    )
    return HKDF(hashes.SHA256(), length=32, salt=pepper, info=b"portal.signing.key.v1").derive(
        stretched
    )


def _bound(head: dict[str, Any], name: str, public_pem: str) -> bytes:
    """What the ciphertext is inseparable from: the parameters, and whose key it is."""
    return canonical({**head, "key_id": name, "public_pem": public_pem})


def _to_text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _to_bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error


# --- the statement and the server's counter-signature --------------------------------------------


class ProofMethod(StrEnum):
    """How the signer proved to be the signer."""

    PIN = "pin"
    PASSKEY = "passkey"


@dataclass(frozen=True)
class Statement:
    """Who signed which document, meaning what, when: what a PIN's key signs, and the server."""

    document_digest: str
    signer_id: str
    printed_name: str
    meaning: str
    signed_at: dt.datetime
    key_id: str

    def canonical(self) -> bytes:
        """RFC 8785 bytes; `signed_at` in UTC. `NotCanonicalError` where it has no zone."""
        return canonical({"type": "portal.signature.statement.v1", **asdict(self)})


@dataclass(frozen=True)
class CounterSigned:
    """What the server signs: the whole statement, the proof, and which key of the server it is."""

    statement: Statement
    method: ProofMethod
    proof: bytes
    countersign_key_id: str

    def canonical(self) -> bytes:
        """RFC 8785 bytes, the proof in base64. Errors as `Statement.canonical`."""
        return canonical(
            {
                "type": "portal.signature.countersigned.v1",
                **asdict(self.statement),
                "method": self.method,
                "proof": _to_text(self.proof),
                "countersign_key_id": self.countersign_key_id,
            }
        )


def countersign(key: ServerKey, data: bytes) -> bytes:
    """The server's Ed25519 signature over `data`, which is a `CounterSigned.canonical()`."""
    return key.private.sign(data)


def verify_countersign(public: ed25519.Ed25519PublicKey, data: bytes, signature: bytes) -> bool:
    """Whether `signature` is that of the server key `public` over `data`."""
    try:
        public.verify(signature, data)
    except InvalidSignature:
        return False
    return True
