"""What an audit may cost, and what of it is kept."""

CHECK_SECONDS = 10.0
"""A check that takes longer is given up and named as skipped."""

AUDIT_SECONDS_MAX = 300
"""All checks and second looks together: nobody else audits meanwhile."""

WATCH_SECONDS = 5.0
"""How often a process looks whether an audit is due, and says how old the last one is."""
