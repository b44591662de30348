"""How a service answers about people: its data map, and the participant contract over it."""
