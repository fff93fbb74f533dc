"""The program focus: its arguments, its words, its displays. `main` puts them together."""
