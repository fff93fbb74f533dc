"""The device, and nothing above it."""
