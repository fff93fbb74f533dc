"""How long `focus` waits for an answer where its caller does not say. In seconds."""

CONNECT_TIMEOUT_S = 5.0
STATUS_TIMEOUT_S = 5.0
# stop() answers when standstill is confirmed, which can take a few lost replies.
STOP_TIMEOUT_S = 10.0
SHUTDOWN_TIMEOUT_S = 10.0
# Longer than any homing run or move that the daemon allows.
MOTION_TIMEOUT_S = 300.0
