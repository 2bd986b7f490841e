// What a page loads for the widget, as a server would send it. Fails above the promised 8 kB.
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const LIMIT_BYTES = 8 * 1024;
const built = new URL('../../modelarts_magics/static/', import.meta.url);
const sizes = ['countdown.js', 'countdown.css'].map((name) => {
  const bytes = readFileSync(new URL(name, built));
  return { name, plain: bytes.length, gzipped: gzipSync(bytes, { level: 9 }).length };
});
const total = sizes.reduce((sum, { gzipped }) => sum + gzipped, 0);
for (const { name, plain, gzipped } of sizes) {
  process.stdout.write(`${name}: ${plain} bytes, ${gzipped} gzipped\n`);
}
process.stdout.write(`together: ${total} of ${LIMIT_BYTES} bytes gzipped\n`);
process.exitCode = total > LIMIT_BYTES ? 1 : 0;
