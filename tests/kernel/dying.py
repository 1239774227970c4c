"""A process of a group that takes a batch and dies before it is acknowledged."""

import asyncio
import os
import signal
import sys

from dvor.kernel.brokers import broker
from dvor.kernel.config import Settings


async def main(group: str, source: str) -> None:
    """Say how many were taken, then die."""
    ours = broker(Settings.from_environment(), {source: [group]})
    await ours.open()
    while True:
        async with ours.batch(group, source) as envelopes:
            if envelopes:
                print(len(envelopes), flush=True)
                os.kill(os.getpid(), signal.SIGKILL)
        await asyncio.sleep(0.01)


asyncio.run(main(*sys.argv[1:]))
