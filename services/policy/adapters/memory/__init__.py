"""In memory: for tests, and for trying things out without a database."""

from services.policy.adapters.memory.store import MemoryStore

__all__ = ["MemoryStore"]
