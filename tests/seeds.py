"""Chance in tests: one number, printed where a test fails, from which everything follows."""

import os
import random


def fresh() -> int:
    """A seed: the one in DVOR_TEST_SEED, else a new one. What a test prints is shown if it fails."""
    seed = int(os.environ.get("DVOR_TEST_SEED") or random.randrange(10**9))
    print(f"seed {seed}: again with DVOR_TEST_SEED={seed}")
    return seed
