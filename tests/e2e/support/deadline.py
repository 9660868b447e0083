"""Waiting for a fact instead of for a time."""

import time

POLL_S = 0.004


class TookTooLong(AssertionError):
    pass


def until(condition, what, seconds=20.0, poll_s=POLL_S):
    """The first true value of condition(). `what` completes the sentence "... did not come about"."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TookTooLong(f"{what}: did not come about within {seconds:g} s")
        time.sleep(poll_s)
