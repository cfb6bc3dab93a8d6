"""Electronic signatures: PINs and passkeys, signing, verifying. The pattern for a module is

view:     ``def act(signer): return release_orders(actor=request.user, …, signer=signer)``, then
          ``passkey_options(request, act)`` where ``asks_for_passkey(request)``, else
          ``act(signer_of(request))`` (`portal.signing.web`)
service:  ``release_orders(actor=…, signer=…)`` locks rows, changes and saves them, then
          ``sign(actor=…, signable="tracershop.release", obj=release, meaning=…, key=signer)``
page:     ``{% include "signing/_sign_fields.html" with meaning=… %}`` in the form to sign;
          ``verify_many(signatures)`` and ``{% include "signing/_signature.html" with verdict=… %}``
"""

from portal.signing.payloads import made_by_act, reads
from portal.signing.services.asking import (
    PasskeyProof,
    Rehearsal,
    accept_passkey,
    ask_passkey,
    passkeys_of,
)
from portal.signing.services.keys import (
    change_pin,
    has_pin,
    revoke_key,
    set_pin,
    signing_key_of,
)
from portal.signing.services.opening import UnlockedKey, WrongPin, unlock
from portal.signing.services.registering import ask_registration, register_passkey
from portal.signing.services.signatures import Signer, printed, sign, signatures_of, supersede
from portal.signing.services.verification import (
    AUDITOR,
    State,
    Verdict,
    alert_auditors,
    check_last_run,
    verify,
    verify_all,
    verify_many,
)

__all__ = [
    "AUDITOR",
    "PasskeyProof",
    "Rehearsal",
    "Signer",
    "State",
    "UnlockedKey",
    "Verdict",
    "WrongPin",
    "accept_passkey",
    "alert_auditors",
    "ask_passkey",
    "ask_registration",
    "change_pin",
    "check_last_run",
    "has_pin",
    "made_by_act",
    "passkeys_of",
    "printed",
    "reads",
    "register_passkey",
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
