"""The program focusd: puts the parts together, starts and ends them."""
