// Builds the extension with Jupyter's builder, without Python. `--development` skips minification.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const { resolve } = createRequire(import.meta.url);
const builder = join(dirname(resolve('@jupyter/builder')), 'build-labextension.js');
const core = join(dirname(resolve('@jupyterlab/core-meta/package.json')), 'core.package.json');
const folder = fileURLToPath(new URL('..', import.meta.url));

const { status } = spawnSync(
  process.execPath,
  [builder, '--core-package-file', core, ...process.argv.slice(2), folder],
  { cwd: folder, stdio: 'inherit' },
);
process.exitCode = status ?? 1;
