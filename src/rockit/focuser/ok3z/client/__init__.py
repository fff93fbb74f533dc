"""Calls from Python: for the command, and for everybody's scripts."""
