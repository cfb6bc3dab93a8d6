"""A passkey in software: answers as a browser with a device of this kind would, or wrongly."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, encode_cbor

PRESENT, VERIFIED, ATTESTED = 1, 4, 64
ORIGIN = "http://localhost"


def es256() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def rs256(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def eddsa() -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


@dataclass
class SoftAuthenticator:
    """One credential. ``verifies``: it checks who uses it; ``counts`` up by one a use, or not."""

    private: Any = field(default_factory=es256)
    verifies: bool = True
    counts: bool = True
    sign_count: int = 0
    origin: str = ORIGIN
    credential_id: bytes = field(default_factory=lambda: os.urandom(32))

    def create(self, options: dict[str, Any], **changes: Any) -> str:
        """What `navigator.credentials.create` gives, as JSON; ``changes`` to the client data."""
        public = self._cose()
        length = len(self.credential_id).to_bytes(2, "big")
        attested = bytes(16) + length + self.credential_id + encode_cbor(public)
        data = self._authenticator_data(options["rp"]["id"], ATTESTED) + attested
        response = {
            "clientDataJSON": self._client_data("webauthn.create", options, changes),
            "attestationObject": bytes_to_base64url(
                encode_cbor({"fmt": "none", "attStmt": {}, "authData": data})
            ),
            "transports": ["internal", "hybrid", "by-carrier-pigeon"],
        }
        return self._credential(response)

    def get(self, options: dict[str, Any], **changes: Any) -> str:
        """What `navigator.credentials.get` gives, as JSON; ``changes`` to the client data."""
        self.sign_count += self.counts
        data = self._authenticator_data(options["rpId"])
        client_data = self._client_data("webauthn.get", options, changes)
        signed = data + hashlib.sha256(base64url_to_bytes(client_data)).digest()
        response = {
            "clientDataJSON": client_data,
            "authenticatorData": bytes_to_base64url(data),
            "signature": bytes_to_base64url(self._sign(signed)),
        }
        return self._credential(response)

    def _credential(self, response: dict[str, Any]) -> str:
        name = bytes_to_base64url(self.credential_id)
        return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": response})

    def _authenticator_data(self, rp_id: str, flags: int = 0) -> bytes:
        flags |= PRESENT | (VERIFIED if self.verifies else 0)
        count = self.sign_count.to_bytes(4, "big")
        return hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + count

    def _client_data(self, kind: str, options: dict[str, Any], changes: dict[str, Any]) -> str:
        said = {"type": kind, "challenge": options["challenge"], "origin": self.origin, **changes}
        return bytes_to_base64url(json.dumps(said).encode())

    def _cose(self) -> dict[int, Any]:
        public = self.private.public_key()
        if isinstance(public, rsa.RSAPublicKey):
            numbers = public.public_numbers()
            modulus = numbers.n.to_bytes(public.key_size // 8, "big")
            return {1: 3, 3: -257, -1: modulus, -2: numbers.e.to_bytes(3, "big")}
        if isinstance(public, ed25519.Ed25519PublicKey):
            return {1: 1, 3: -8, -1: 6, -2: public.public_bytes_raw()}
        bits, point = public.curve.key_size, public.public_numbers()
        x, y = (each.to_bytes(bits // 8, "big") for each in (point.x, point.y))
        return {1: 2, 3: -7, -1: {256: 1, 384: 2}[bits], -2: x, -3: y}

    def _sign(self, data: bytes) -> bytes:
        if isinstance(self.private, rsa.RSAPrivateKey):
            return self.private.sign(data, padding.PKCS1v15(), hashes.SHA256())
        if isinstance(self.private, ed25519.Ed25519PrivateKey):
            return self.private.sign(data)
        return self.private.sign(data, ec.ECDSA(hashes.SHA256()))
