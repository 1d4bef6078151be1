"""Several notebooks at once: how many there is room for, and running them in their order."""

import asyncio
import os

import psutil

MEMORY = 1.5  # GB that a notebook at `quick` may need


def places():
    """How many notebooks to run at once here: one a core, as far as free memory allows, and at least one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, int(psutil.virtual_memory().available / 1e9 / MEMORY)))


async def together(work, items, at_once):
    """Await `work(item)` for each item, `at_once` of them together, started in their order: the list of results."""
    free = asyncio.Semaphore(at_once)

    async def in_turn(item):
        async with free:
            return await work(item)

    return await asyncio.gather(*map(in_turn, items))


def seconds_of_others():
    """Seconds of processor time that programs other than this one and its ended children have used since the start."""
    times, own = psutil.cpu_times(), os.times()
    busy = sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0)
    return busy - (own.user + own.system + own.children_user + own.children_system)
