"""Judges clocks: how far another machine's is from this one's."""

from __future__ import annotations

from workers.doctor.finding import Finding, fail, ok, warn

# Well-kept clocks differ by milliseconds: a second says that nobody keeps one of the two.
WARN_SECONDS = 1.0
# Messages of sweeps live for a few periods of beat's clock, and S3 refuses requests at 15 minutes: before that, bills,
# logs and histories tell the events of one job in an order that never was.
FAIL_SECONDS = 10.0
REMEDY = "keep the clocks of both machines by NTP (chrony or systemd-timesyncd), and compare `date -u` on both"


def clock(check: str, ahead_s: float, error_s: float) -> Finding:
    """ahead_s: the other clock minus ours, true to error_s."""
    surely = max(0.0, abs(ahead_s) - error_s)
    if surely <= WARN_SECONDS:
        return ok(check, f"agrees with this machine's to {abs(ahead_s) + error_s:.1f} s")
    found = f"{abs(ahead_s):.1f} s {'ahead of' if ahead_s > 0 else 'behind'} this machine's"
    return (fail if surely > FAIL_SECONDS else warn)(check, found, REMEDY)
