"""Dvor: sell goods, rent out things, let rooms and fill events on one platform."""

__version__ = "0.1.0"
