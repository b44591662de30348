"""What the schemas of Kubernetes do not see."""
