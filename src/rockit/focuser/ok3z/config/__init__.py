"""The configuration, and the site."""
