"""The directory's API, SCIM 2.0."""
