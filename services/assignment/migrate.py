"""Migrates assignment's database: `python -m services.assignment.migrate`."""

from libs.db.migrate_command import main

if __name__ == "__main__":
    raise SystemExit(main("services.assignment.migrations", "ASSIGNMENT_"))
