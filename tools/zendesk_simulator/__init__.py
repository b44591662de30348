"""A faithful local Zendesk: a library and a server."""
