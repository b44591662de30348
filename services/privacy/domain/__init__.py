"""The rules of privacy: states, deadlines, plans, certificates. No I/O."""
