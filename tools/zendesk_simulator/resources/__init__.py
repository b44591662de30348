"""One file per resource of Zendesk's API."""
