"""A Dagster project without anything in it."""

import dagster as dg

definitions = dg.Definitions()
