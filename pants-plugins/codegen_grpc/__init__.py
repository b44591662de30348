"""Protobuf code generation through grpcio-tools and mypy-protobuf, pinned in a lockfile like everything else."""
