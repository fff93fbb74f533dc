"""Calls from Python: for the command, and for everybody's scripts."""

# How long to wait for an answer if the caller does not say, in seconds.
CONNECT_TIMEOUT_S = 5.0
STATUS_TIMEOUT_S = 5.0
# stop() answers when standstill is confirmed, which can take a few lost replies.
STOP_TIMEOUT_S = 10.0
SHUTDOWN_TIMEOUT_S = 10.0
# The daemon asks its thermometer first, and waits for its disk.
REFERENCE_TIMEOUT_S = 25.0
# Longer than any homing run or move that the daemon allows.
MOTION_TIMEOUT_S = 300.0
