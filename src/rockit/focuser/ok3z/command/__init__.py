"""The parts of the `focus` command: its arguments, its words, its displays. `cli.py` puts them together."""
