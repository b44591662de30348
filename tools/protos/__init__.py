"""The protobuf compiler as the build uses it; nothing is vendored, nothing downloaded."""
