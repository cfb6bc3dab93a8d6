"""Electronic signatures: setting a PIN, signing, verifying. The pattern for a module is

view:     ``key = unlock(request.user, pin)`` – Argon2, counted tries, before any transaction
service:  ``release_orders(actor=…, signer=key)`` – locks rows, changes and saves them, then
          ``sign(actor=…, signable="tracershop.release", obj=release, meaning=…, key=signer)``
page:     ``verify_many(signatures)`` and ``{% include "signing/_signature.html" with verdict=… %}``
"""

from portal.signing.payloads import reads
from portal.signing.services.keys import (
    change_pin,
    fingerprint,
    has_pin,
    revoke_key,
    set_pin,
    signing_key_of,
)
from portal.signing.services.opening import UnlockedKey, WrongPin, unlock
from portal.signing.services.signatures import printed, sign, signatures_of, supersede
from portal.signing.services.verification import (
    State,
    Verdict,
    alert_auditors,
    check_last_run,
    verify,
    verify_all,
    verify_many,
)

__all__ = [
    "State",
    "UnlockedKey",
    "Verdict",
    "WrongPin",
    "alert_auditors",
    "change_pin",
    "check_last_run",
    "fingerprint",
    "has_pin",
    "printed",
    "reads",
    "revoke_key",
    "set_pin",
    "sign",
    "signatures_of",
    "signing_key_of",
    "supersede",
    "unlock",
    "verify",
    "verify_all",
    "verify_many",
]
