"""Migrates policy's database: `python -m services.policy.migrate`."""

from libs.db.migrate_command import main

if __name__ == "__main__":
    raise SystemExit(main("services.policy.migrations", "POLICY_"))
