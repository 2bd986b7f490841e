// Bundles the style sheets of countdown, panel and status item into the one that a page loads.
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const path = (name) => fileURLToPath(new URL(name, import.meta.url));

await build({
  entryPoints: [path('../style/index.css')],
  outfile: path('../lib/style.css'),
  bundle: true,
  minify: true,
  charset: 'utf8',
  target: ['chrome105', 'firefox110', 'safari16'],
  logLevel: 'warning',
});
