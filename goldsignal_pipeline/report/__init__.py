"""The report: one page of HTML to argue with, and the tables behind it as files."""
