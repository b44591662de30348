"""The routing engine: who gets the next ticket, and why."""
