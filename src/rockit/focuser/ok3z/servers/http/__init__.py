"""The HTTP port, whatever it serves."""
