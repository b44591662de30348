"""How fast the Zendesk simulator is: load tests must measure us and not it."""
