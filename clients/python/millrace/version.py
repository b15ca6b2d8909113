"""The package's version: its first two numbers are the API's."""

VERSION = "1.0.0"
