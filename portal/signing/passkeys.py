"""Passkeys (WebAuthn): asking an authenticator, and whether it did what it was asked. Pure.

What it signs is an `Intent`; the `proof` that is kept shows that to anybody who has the public key,
without this server. Nothing here reads a clock, a setting or a row.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import (
    base64url_to_bytes,
    bytes_to_base64url,
    decode_credential_public_key,
    decoded_public_key_to_cryptography,
    options_to_json_dict,
    parse_authentication_credential_json,
    parse_client_data_json,
    parse_registration_credential_json,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.structs import (
    AttestationConveyancePreference,
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from portal.serverkeys import key_id
from portal.signing.canonical import canonical
from portal.signing.intents import Intent, covers

ALGORITHMS = [
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
]
TIMEOUT_MS = 120_000
_LEAST_RSA_BITS = 2048
_LONGEST_ANSWER = 20_000


class PasskeyRefused(Exception):  # noqa: N818
    """An authenticator's answer is not what was asked for; the text is for the log."""


# --- where ----------------------------------------------------------------------------------------


class NoPasskeys(StrEnum):
    """Why there can be no passkeys at an address; the caller words it."""

    ADDRESS = "address"
    INSECURE = "insecure"


class NoPasskeysHere(Exception):  # noqa: N818
    """Browsers offer no passkeys at this address of the portal; ``why`` says the rule."""

    def __init__(self, why: NoPasskeys) -> None:
        super().__init__(why.value)
        self.why = why


@dataclass(frozen=True)
class RelyingParty:
    """Where a passkey works: the host name it belongs to, and the page's origin."""

    rp_id: str
    origin: str


def relying_party(scheme: str, host: str) -> RelyingParty:
    """The relying party that a page at ``scheme`` and ``host`` (with port) is.

    `NoPasskeysHere` where the address is a number (WebAuthn wants a domain) or where the page did
    not come by TLS (it wants a secure context; a browser takes `localhost` for one).
    """
    name = urlsplit(f"//{host}").hostname or ""
    if _is_number(name):
        raise NoPasskeysHere(NoPasskeys.ADDRESS)
    if scheme != "https" and name != "localhost" and not name.endswith(".localhost"):
        raise NoPasskeysHere(NoPasskeys.INSECURE)
    return RelyingParty(name, f"{scheme}://{host.lower()}")


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


# --- registering ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class NewPasskey:
    """What an authenticator gave for a new credential."""

    credential_id: str
    cose: bytes
    key_id: str
    public_pem: str
    sign_count: int
    transports: list[str]


def creation_options(
    *,
    party: RelyingParty,
    site: str,
    person_id: str,
    name: str,
    display_name: str,
    challenge: bytes,
    known: Sequence[tuple[str, Sequence[str]]],
) -> dict[str, Any]:
    """What the browser is asked for; ``known``: credentials (id, transports) not to make again."""
    options = generate_registration_options(
        rp_id=party.rp_id,
        rp_name=site,
        user_id=f"portal:{person_id}".encode(),
        user_name=name,
        user_display_name=display_name,
        challenge=challenge,
        timeout=TIMEOUT_MS,
        attestation=AttestationConveyancePreference.NONE,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=_descriptors(known),
        supported_pub_key_algs=ALGORITHMS,
    )
    return options_to_json_dict(options)


def challenge_of_registration(answer: str) -> bytes:
    """What a device says that it was asked when it made a passkey. `PasskeyRefused`."""
    try:
        sent = parse_registration_credential_json(_short(answer))
        return parse_client_data_json(sent.response.client_data_json).challenge
    # hostile bytes: the library's parsers raise whatever they stumble over
    except Exception as error:
        raise PasskeyRefused(str(error)) from error


def check_registration(answer: str, *, challenge: bytes, party: RelyingParty) -> NewPasskey:
    """The new credential, made here, for this challenge, by a verified user. `PasskeyRefused`."""
    try:
        sent = parse_registration_credential_json(_short(answer))
        found = verify_registration_response(
            credential=sent,
            expected_challenge=challenge,
            expected_rp_id=party.rp_id,
            expected_origin=party.origin,
            require_user_verification=True,
            supported_pub_key_algs=ALGORITHMS,
        )
        public = public_key(found.credential_public_key)
        transports = [each.value for each in sent.response.transports or []]
    except Exception as error:  # as above
        raise PasskeyRefused(str(error)) from error
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return NewPasskey(
        credential_id=bytes_to_base64url(found.credential_id),
        cose=found.credential_public_key,
        key_id=key_id(public),
        public_pem=pem.decode(),
        sign_count=found.sign_count,
        transports=transports,
    )


def public_key(cose: bytes) -> PublicKeyTypes:
    """The public key that COSE bytes hold. ValueError: too weak, or of a kind not asked for."""
    public = decoded_public_key_to_cryptography(decode_credential_public_key(cose))
    if isinstance(public, rsa.RSAPublicKey) and public.key_size >= _LEAST_RSA_BITS:
        return public
    if isinstance(public, ec.EllipticCurvePublicKey) and isinstance(public.curve, ec.SECP256R1):
        return public
    if isinstance(public, ed25519.Ed25519PublicKey):
        return public
    raise ValueError(f"a {type(public).__name__} of this size or curve is not taken")


def _descriptors(
    known: Sequence[tuple[str, Sequence[str]]],
) -> list[PublicKeyCredentialDescriptor]:
    ways = {each.value: each for each in AuthenticatorTransport}
    return [
        PublicKeyCredentialDescriptor(
            id=base64url_to_bytes(credential_id),
            transports=[ways[name] for name in transports if name in ways] or None,
        )
        for credential_id, transports in known
    ]


# --- signing --------------------------------------------------------------------------------------


def request_options(intent: Intent, known: Sequence[tuple[str, Sequence[str]]]) -> dict[str, Any]:
    """What the browser is asked for, so that one of the ``known`` passkeys signs the intent."""
    options = generate_authentication_options(
        rp_id=intent.rp_id,
        challenge=intent.challenge(),
        timeout=TIMEOUT_MS,
        allow_credentials=_descriptors(known),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return options_to_json_dict(options)


@dataclass(frozen=True)
class Assertion:
    """An authenticator's answer, in base64url as browsers write it."""

    credential_id: str
    authenticator_data: str
    client_data_json: str
    signature: str

    @classmethod
    def read(cls, answer: str) -> Assertion:
        """From what the browser sent. `PasskeyRefused` where it is no such thing."""
        try:
            sent = parse_authentication_credential_json(_short(answer))
            return cls(
                credential_id=sent.id,
                authenticator_data=bytes_to_base64url(sent.response.authenticator_data),
                client_data_json=bytes_to_base64url(sent.response.client_data_json),
                signature=bytes_to_base64url(sent.response.signature),
            )
        except Exception as error:  # as above
            raise PasskeyRefused(str(error)) from error

    def challenge(self) -> bytes:
        """What the authenticator was asked to sign, by its own account. `PasskeyRefused`."""
        try:
            return parse_client_data_json(base64url_to_bytes(self.client_data_json)).challenge
        except Exception as error:  # as above
            raise PasskeyRefused(str(error)) from error


def check_assertion(assertion: Assertion, *, intent: Intent, cose: bytes) -> int:
    """Whether the key ``cose`` signed the intent, its user present and verified; its sign count.

    `PasskeyRefused` says what does not fit. Comparing the count with the last is the caller's.
    """
    response = {
        "clientDataJSON": assertion.client_data_json,
        "authenticatorData": assertion.authenticator_data,
        "signature": assertion.signature,
    }
    try:
        found = verify_authentication_response(
            credential={
                "id": assertion.credential_id,
                "rawId": assertion.credential_id,
                "type": "public-key",
                "response": response,
            },
            expected_challenge=intent.challenge(),
            expected_rp_id=intent.rp_id,
            expected_origin=intent.origin,
            credential_public_key=cose,
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except Exception as error:  # as above
        raise PasskeyRefused(str(error)) from error
    return found.new_sign_count


def went_back(last: int, now: int) -> bool:
    """Whether a sign count says that a passkey was copied (WebAuthn level 2, 7.2 step 21).

    One that does not count says 0 for ever.
    """
    return (last > 0 or now > 0) and now <= last


# --- the proof, for good --------------------------------------------------------------------------


def proof_bytes(intent: Intent, assertion: Assertion) -> bytes:
    """What is kept: everything that shows, with the public key, what the authenticator signed."""
    return canonical({"intent": intent.as_json(), "assertion": asdict(assertion)})


def proof_fault(
    proof: bytes,
    *,
    cose: bytes,
    credential_id: str,
    rp_id: str,
    signer_id: str,
    printed_name: str,
    meaning: str,
    document: Mapping[str, Any],
) -> str:
    """Why ``proof`` does not show that the key signed the document so; "" if it does."""
    try:
        kept = json.loads(proof)
        intent = Intent.from_json(kept["intent"])
        assertion = Assertion(**kept["assertion"])
    except (ValueError, TypeError, KeyError):
        return "the passkey's proof is unreadable"
    if assertion.credential_id != credential_id or intent.rp_id != rp_id:
        return "the proof is another passkey's"
    try:
        check_assertion(assertion, intent=intent, cose=cose)
    except PasskeyRefused as error:
        return f"the passkey's proof does not hold: {error}"
    if not covers(intent, signer_id, printed_name, meaning, document):
        return "the passkey did not sign what stands in the row"
    return ""


def cose_bytes(text: str) -> bytes:
    """COSE as it is stored. ValueError where it is not base64."""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error


def _short(answer: str) -> str:
    if len(answer) > _LONGEST_ANSWER:
        raise ValueError(f"an answer of {len(answer)} characters")
    return answer
