"""The decision core: pure Python, the same in the policy service and in an embedded decision point."""
