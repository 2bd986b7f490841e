// Reports the size of the built widget files. Fails when the gzipped module exceeds its budget of 10 KiB.
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const LIMIT_BYTES = 10 * 1024;
const built = new URL('../../modelarts_magics/static/', import.meta.url);

function report(name) {
  const bytes = readFileSync(new URL(name, built));
  const gzipped = gzipSync(bytes, { level: 9 }).length;
  process.stdout.write(`${name}: ${bytes.length} bytes, ${gzipped} gzipped\n`);
  return gzipped;
}

report('countdown.css');
process.exitCode = report('countdown.js') > LIMIT_BYTES ? 1 : 0;
