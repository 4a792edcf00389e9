"""PostgreSQL: tables, migrations, one repository module per table group, and the embedded server."""
