"""What people and programs ask of the tables: questions as values, for the API, the tables of commands and the report."""
