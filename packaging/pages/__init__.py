"""Makes the manual pages and shell completions from the parsers of the commands, so that they cannot drift apart.

`python3 packaging/pages DIR` writes DIR/man and DIR/completions. It needs no package but our own.
"""
