"""One focuser, and one thread that owns its port."""
