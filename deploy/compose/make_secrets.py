"""Prints secrets for `.env`, new ones each time: python3 deploy/compose/make_secrets.py >.env."""

import secrets

print(f"DVOR_SECRET={secrets.token_hex(32)}")
print(f"POSTGRES_PASSWORD={secrets.token_urlsafe(24)}")
