// Bundles the style sheets: one for the status item, and one for the panel and its countdown.
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const path = (name) => fileURLToPath(new URL(name, import.meta.url));

await build({
  entryPoints: [path('../style/status.css'), path('../style/panel.css')],
  outdir: path('../lib'),
  bundle: true,
  minify: true,
  charset: 'utf8',
  target: ['chrome105', 'firefox110', 'safari16'],
  logLevel: 'warning',
});
