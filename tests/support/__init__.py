"""What tests of several folders need: `from tests.support.waiting import wait_until`."""
