"""Migrates auth's database: `python -m services.auth.migrate`."""

from libs.db.migrate_command import main

if __name__ == "__main__":
    raise SystemExit(main("services.auth.migrations", "AUTH_"))
