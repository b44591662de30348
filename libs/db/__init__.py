"""PostgreSQL: engine, locks, migrations, request log, jobs and the embedded server."""
