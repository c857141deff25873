// The TypeScript SDK: `node client.mjs WORK COUNT URL..` prints what it cost as a line of JSON, as bench-client does.
import { readFileSync } from 'node:fs';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

const TEXT = 'a text of some length, as arguments usually have one';
const [work, counted, ...urls] = process.argv.slice(2);
const count = Number(counted);

async function connect(url) {
  const client = new Client({ name: 'bench', version: '1' });
  await client.connect(new StreamableHTTPClientTransport(new URL(url)));
  await client.listTools();
  return client;
}

async function call(client, name) {
  const result = await client.callTool({ name, arguments: { text: TEXT } });
  if (result.content[0].text.length < 10) throw new Error('no answer');
}

const status = (name) => Number(readFileSync('/proc/self/status', 'utf8').match(new RegExp(`${name}:\\s+(\\d+)`))[1]);
const cpu = () => { const used = process.cpuUsage(); return used.user + used.system; };
const now = () => Number(process.hrtime.bigint()) / 1e3;

function tell(wall, used, done, more) {
  const figures = { wall_us: wall, cpu_us: used, count: done, p50_us: 0, peak_mib: status('VmHWM') / 1024, each_kib: 0, idle_ms: 0 };
  console.log(JSON.stringify({ ...figures, ...more }));
  process.exit(0);
}

if (work === 'sequential' || work === 'big') {
  const name = work === 'big' ? 'big' : 'echo';
  const client = await connect(urls[0]);
  for (let i = 0; i < count / 10; i += 1) await call(client, name);
  const [began, before, each] = [now(), cpu(), []];
  for (let i = 0; i < count; i += 1) {
    const at = now();
    await call(client, name);
    each.push(now() - at);
  }
  const [took, used] = [now() - began, cpu() - before];
  each.sort((a, b) => a - b);
  tell(took, used, count, { p50_us: each[Math.floor(each.length / 2)] });
} else if (work === 'ways') {
  const client = await connect(urls[0]);
  const many = async (total) => {
    let left = total;
    await Promise.all(Array.from({ length: 64 }, async () => {
      while (left > 0) { left -= 1; await call(client, 'echo'); }
    }));
  };
  await many(count / 10);
  const [began, before] = [now(), cpu()];
  await many(count);
  tell(now() - began, cpu() - before, count, {});
} else {
  await call(await connect(urls[0]), 'echo');
  const resident = status('VmRSS');
  const [began, before] = [now(), cpu()];
  const held = await Promise.all(urls.slice(1).map(connect));
  const [took, used] = [now() - began, cpu() - before];
  const each = (status('VmRSS') - resident) / held.length;
  const idle = cpu();
  await new Promise((done) => { setTimeout(done, 5000); });
  tell(took, used, held.length, { each_kib: each, idle_ms: (cpu() - idle) / 1e3 });
}
