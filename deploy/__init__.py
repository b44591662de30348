"""Manifests of Kubernetes, one folder per service; only tests are Python here."""
