"""The HTTP edge: translates between HTTP and the suite's gRPC services, and owns nothing."""
