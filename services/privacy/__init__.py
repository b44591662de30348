"""Privacy: requests of people about their data, with evidence."""
