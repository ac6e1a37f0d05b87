"""Why a Redis turned somebody away, told so that it can be put right: the job store and the broker say it alike."""

from __future__ import annotations

# What a server, or the library that speaks TLS, says; what that means; what to do. The first that fits.
_REFUSALS = (
    (
        ("WRONGPASS", "invalid username-password", "invalid password"),
        "does not know the user, or the password is wrong",
        "give this process the settings of its role, as `aitrain site init` wrote them; after a change of the users "
        "have the server read them: ACL LOAD",
    ),
    (
        ("NOAUTH", "Authentication required", "HELLO must be called with the client already authenticated"),
        "lets nobody in without a user",
        "write the URL as rediss://USER:PASSWORD@HOST:PORT/0, with the user of this process's role",
    ),
    (
        ("NOPERM", "no permissions", "can't run this command", "can't access at least one", "No permissions to access"),
        "does not allow this to the user of this process",
        "run it with the settings of the role that may: operators' for quotas, budgets and hosts, a host's own for its "
        "worker and agent, control's for control workers and beat",
    ),
    (
        ("Hostname mismatch", "IP address mismatch", "is not valid for"),
        "has a certificate for another name",
        "write the name into the URL that its certificate has, or make a certificate that has this name, too",
    ),
    (
        ("CERTIFICATE_VERIFY_FAILED", "certificate verify failed"),
        "has a certificate that is not trusted here",
        "set redis_ca_file to the file of the authority that signed it (tls/ca.pem of `aitrain site init`)",
    ),
)  # fmt: skip


def refusal(said: str) -> str | None:
    """What an error of a Redis means, and what to do, as the end of a sentence that begins with the server.

    said: the error's text. None if it is no refusal.
    """
    for signs, means, remedy in _REFUSALS:
        if any(sign in said for sign in signs):
            return f"{means} ({said}): {remedy}"
    return None
