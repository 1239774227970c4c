"""The pages."""

from dvor.web.pages import (
    account,
    administration,
    mailbox,
    purchases,
    sales,
    selling,
    shopping,
)

PAGES = (
    account.strangers,
    account.members,
    administration.router,
    mailbox.router,
    purchases.router,
    sales.router,
    selling.router,
    shopping.router,
)
"""Routers of all pages."""
