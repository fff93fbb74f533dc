"""A tree of yum repositories: what publish.py and push do, in parts."""
