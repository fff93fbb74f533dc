"""The version of this distribution, the one place where it is written."""

VERSION = "1.0.0"
