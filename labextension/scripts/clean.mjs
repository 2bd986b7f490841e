// Removes the folders that are named, so that nothing of an older build is shipped.
import { rmSync } from 'node:fs';

for (const folder of process.argv.slice(2)) {
  rmSync(new URL(`../${folder}/`, import.meta.url), { recursive: true, force: true });
}
