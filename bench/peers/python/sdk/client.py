"""The Python SDK: `client.py WORK COUNT URL..` prints what it cost as a line of JSON, as bench-client does."""

import asyncio
import json
import re
import sys
import time

from mcp import Client

TEXT = "a text of some length, as arguments usually have one"


async def call(client, name):
    result = await client.call_tool(name, {"text": TEXT})
    assert len(result.content[0].text) >= 10


def status(name):
    with open("/proc/self/status", encoding="utf-8") as file:
        return int(re.search(name + r":\s+(\d+)", file.read()).group(1))


def tell(wall, used, done, **more):
    figures = {"wall_us": wall * 1e6, "cpu_us": used * 1e6, "count": done, "p50_us": 0, "each_kib": 0, "idle_ms": 0}
    print(json.dumps({**figures, "peak_mib": status("VmHWM") / 1024, **more}))


async def main(work, count, urls):
    async with Client(urls[0]) as client:
        await client.list_tools()
        if work in ("sequential", "big"):
            name = "big" if work == "big" else "echo"
            for _ in range(count // 10):
                await call(client, name)
            began, used, each = time.perf_counter(), time.process_time(), []
            for _ in range(count):
                at = time.perf_counter()
                await call(client, name)
                each.append((time.perf_counter() - at) * 1e6)
            wall, used = time.perf_counter() - began, time.process_time() - used
            tell(wall, used, count, p50_us=sorted(each)[len(each) // 2])
        elif work == "ways":
            left = count

            async def caller():
                nonlocal left
                while left > 0:
                    left -= 1
                    await call(client, "echo")

            began, used = time.perf_counter(), time.process_time()
            await asyncio.gather(*(caller() for _ in range(64)))
            tell(time.perf_counter() - began, time.process_time() - used, count)
        else:
            resident, connected, over = status("VmRSS"), asyncio.Queue(), asyncio.Event()

            async def hold(url):
                async with Client(url) as held:
                    await held.list_tools()
                    await connected.put(url)
                    await over.wait()

            began, used = time.perf_counter(), time.process_time()
            tasks = [asyncio.create_task(hold(url)) for url in urls[1:]]
            for _ in tasks:
                await connected.get()
            wall, used = time.perf_counter() - began, time.process_time() - used
            each, idle = (status("VmRSS") - resident) / len(tasks), time.process_time()
            await asyncio.sleep(5)
            tell(wall, used, len(tasks), each_kib=each, idle_ms=(time.process_time() - idle) * 1e3)
            sys.stdout.flush()
            import os

            os._exit(0)


asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3:]))
