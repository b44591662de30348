"""The one server builder, the one client builder, and what stands between a call and its use case."""
