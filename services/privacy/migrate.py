"""Migrates privacy's database: `python -m services.privacy.migrate`."""

from libs.db.migrate_command import main

if __name__ == "__main__":
    raise SystemExit(main("services.privacy.migrations", "PRIVACY_"))
