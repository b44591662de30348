"""gRPC: translate, call, translate."""
