"""The pages."""

from dvor.kernel.http import error_pages
from dvor.web.errors import error_page
from dvor.web.pages import (
    account,
    administration,
    approvals,
    auditing,
    browse,
    closures,
    codes,
    deposits,
    listings,
    mailbox,
    money,
    news,
    purchases,
    rooms,
    sales,
    seat_editor,
    selling,
    shopping,
    site,
    taxes,
    waiting,
)

PAGES = (
    account.strangers,
    account.members,
    administration.router,
    approvals.router,
    auditing.router,
    browse.router,
    closures.router,
    codes.sellers,
    codes.admins,
    deposits.router,
    listings.router,
    mailbox.router,
    money.admin,
    money.seller,
    news.router,
    purchases.router,
    rooms.router,
    sales.router,
    seat_editor.router,
    selling.router,
    shopping.router,
    site.router,
    taxes.router,
    waiting.members,
    waiting.strangers,
)
"""Routers of all pages."""

error_pages(error_page)
