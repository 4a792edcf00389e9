"""A code location of one asset, job and slow job, so that the supervision is tested without our own definitions."""

import time

import dagster as dg


@dg.asset
def quick() -> None: ...


@dg.op
def long_work(context: dg.OpExecutionContext) -> None:
    context.log.info("working")
    time.sleep(300)


@dg.job(executor_def=dg.in_process_executor)
def slow() -> None:
    long_work()


defs = dg.Definitions(assets=[quick], jobs=[slow])
