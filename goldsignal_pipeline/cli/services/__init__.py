"""Our processes: the database server and Dagster's three, started in order, watched, and stopped so that none is left.

`addresses` decides which database is used and writes what other programs need to find it; `processes` starts one process and
recognises ours later; `record` remembers across commands; `runs` and `web` speak with Dagster; `stack` puts them together.
"""

from goldsignal_pipeline.cli.services.addresses import Addresses, database_in_use, shell_exports
from goldsignal_pipeline.cli.services.stack import Stack, bring_down

__all__ = ["Addresses", "Stack", "bring_down", "database_in_use", "shell_exports"]
