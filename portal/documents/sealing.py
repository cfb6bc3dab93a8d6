"""The seal on an issued PDF: a PAdES B-B signature by the server, invisible, made without network.

The seal says that this server issued exactly these bytes. Who released what is in the electronic
signature that the document prints, not here.
"""

import io
from collections.abc import Iterable
from enum import StrEnum

from asn1crypto import keys as asn1_keys
from asn1crypto import parser
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter
from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner, SimpleSigner
from pyhanko.sign.validation import EmbeddedPdfSignature, validate_pdf_signature
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.registry import SimpleCertificateStore

from portal.serverkeys import SealingCredentials

_FIELD = "Seal"


class SealError(Exception):
    """The PDF cannot be sealed: it is no PDF, or has a seal already."""


class SealState(StrEnum):
    """What a seal says of the PDF it is found in."""

    INTACT = "intact"
    MODIFIED = "modified"
    FOREIGN = "foreign"
    """A sound signature over the whole file, but made with none of our certificates."""
    ABSENT = "absent"


def seal_pdf(
    pdf: bytes, credentials: SealingCredentials, *, reason: str, location: str, name: str
) -> bytes:
    """Return `pdf` with our seal, which allows no later change. `SealError` where it cannot be.

    `reason`, `location` and `name` are what a PDF reader shows in the signature's properties. Not
    to be called on a running event loop.
    """
    try:
        writer = IncrementalPdfFileWriter(io.BytesIO(pdf))
        if writer.prev.embedded_signatures:
            raise SealError("The PDF has a seal already.")
        certificate = _to_asn1(credentials.certificate)
        signer = SimpleSigner(
            signing_cert=certificate,
            signing_key=asn1_keys.PrivateKeyInfo.load(
                credentials.private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
            ),
            cert_registry=SimpleCertificateStore(),
        )
        metadata = PdfSignatureMetadata(
            field_name=_FIELD,
            md_algorithm="sha256",
            reason=reason,
            location=location,
            name=name,
            subfilter=SigSeedSubFilter.PADES,
            certify=True,
            docmdp_permissions=MDPPerm.NO_CHANGES,
        )
        return PdfSigner(metadata, signer=signer).sign_pdf(writer).getvalue()
    except PdfError as error:
        raise SealError(f"The PDF cannot be sealed: {error}") from error


def verify_seal(
    pdf: bytes, certificate: x509.Certificate | Iterable[x509.Certificate]
) -> SealState:
    """Say whether `pdf` is, byte for byte, what was sealed with (one of) `certificate`.

    Every changed byte of the document is found, and of the seal itself all but some twenty in the
    headings that CMS leaves out of what it signs. The certificate is our own and kept by us: that
    it has run out since says nothing of the seal.
    """
    kept = [certificate] if isinstance(certificate, x509.Certificate) else certificate
    ours = {each.public_bytes(Encoding.DER) for each in kept}
    # Failing to read a damaged file is a finding, not a fault: the parser raises whatever the
    # damage leads it into.
    try:
        seals = PdfFileReader(io.BytesIO(pdf)).embedded_signatures
    except Exception:
        seals = None
    if not seals:
        # A file that once had a seal has its dictionary still, however mangled the way to it.
        return SealState.MODIFIED if b"/ByteRange" in pdf else SealState.ABSENT
    try:
        if len(seals) != 1 or not _covers_every_byte(seals[0], pdf):
            return SealState.MODIFIED
        return _verify(seals[0], ours)
    except Exception:
        return SealState.MODIFIED


def _covers_every_byte(seal: EmbeddedPdfSignature, pdf: bytes) -> bool:
    """Whether only the signature itself, written as we write it, stands outside what it signs."""
    start, length, after, rest = (int(number) for number in seal.byte_range)
    signature = seal.pkcs7_content[: parser.peek(seal.pkcs7_content)]
    written = signature.hex().upper().encode().ljust(after - length - 2, b"0")
    return start == 0 and pdf[length:after] == b"<" + written + b">" and after + rest == len(pdf)


def _verify(seal: EmbeddedPdfSignature, ours: set[bytes]) -> SealState:
    # Judged at a moment when the certificate is valid, trusting it alone: no clock, no network.
    context = ValidationContext(
        trust_roots=[seal.signer_cert],
        allow_fetching=False,
        moment=seal.signer_cert.not_valid_after,
    )
    status = validate_pdf_signature(
        seal, context, key_usage_settings=KeyUsageConstraints(key_usage={"digital_signature"})
    )
    if not (status.intact and status.valid):
        return SealState.MODIFIED
    return SealState.INTACT if seal.signer_cert.dump() in ours else SealState.FOREIGN


def _to_asn1(certificate: x509.Certificate) -> asn1_x509.Certificate:
    return asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER))
