"""What a CAS server answers (CAS protocol 3.0), as typed values; anything else is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lxml import etree

from portal.accounts.interfaces.claims import ClaimsError, StaffClaims, staff_claims

_CAS = "{http://www.yale.edu/tp/cas}"
_SAML = "{urn:oasis:names:tc:SAML:2.0:protocol}"
_LONGEST_B = 1024 * 1024


class CasError(Exception):
    """The answer is no log-in. ``code`` chooses the page's words: token, claims."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class AttributeNames:
    """What a site's CAS server calls what the portal wants; '' is the CAS user name itself."""

    subject: str = ""
    regional_id: str = ""
    name: str = "displayName"
    email: str = "mail"
    groups: str = "memberOf"


def read_ticket_answer(xml: bytes, names: AttributeNames) -> StaffClaims:
    """Who a ticket is of, out of the answer of ``/p3/serviceValidate``.

    Raises CasError: ``token`` when the ticket is not accepted or the answer is no such answer,
    ``claims`` when it does not say who the person is.
    """
    root = _root(xml, f"{_CAS}serviceResponse")
    failure = root.find(f"{_CAS}authenticationFailure")
    if failure is not None:
        raise CasError("token", f"{failure.get('code', 'no code')}: {(failure.text or '').strip()}")
    success = root.find(f"{_CAS}authenticationSuccess")
    if success is None:
        raise CasError("token", "the answer says neither yes nor no")
    if success.find(f"{_CAS}proxies") is not None:
        raise CasError("token", "a proxy stands in for the person")
    values: dict[str, list[str]] = {"": [success.findtext(f"{_CAS}user") or ""]}
    for attribute in success.iterfind(f"{_CAS}attributes/*"):
        values.setdefault(etree.QName(attribute).localname, []).append(attribute.text or "")
    return _claims(values, names)


def read_logout_request(xml: bytes) -> str:
    """The ticket whose session ends, out of a single-logout request. Raises CasError."""
    root = _root(xml, f"{_SAML}LogoutRequest")
    ticket = (root.findtext(f"{_SAML}SessionIndex") or "").strip()
    if not ticket:
        raise CasError("token", "no SessionIndex")
    return ticket


def _claims(values: Mapping[str, list[str]], names: AttributeNames) -> StaffClaims:
    single = {
        "subject": names.subject,
        "regional_id": names.regional_id,
        "name": names.name,
        "email": names.email,
    }
    claims: dict[str, object] = {
        field: values[attribute][0] for field, attribute in single.items() if values.get(attribute)
    }
    claims["groups"] = values.get(names.groups, []) if names.groups else []
    try:
        return staff_claims(claims)
    except ClaimsError as error:
        raise CasError(error.code, str(error)) from None


def _root(xml: bytes, tag: str) -> etree._Element:
    """The document's root, parsed without entities, network or a document type."""
    if len(xml) > _LONGEST_B:
        raise CasError("token", "the answer is too long")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True
    )
    try:
        root = etree.fromstring(xml, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise CasError("token", f"not XML: {error}") from None
    if root.getroottree().docinfo.doctype:
        raise CasError("token", "a document type")
    if root.tag != tag:
        raise CasError("token", f"the root is {root.tag}")
    return root
