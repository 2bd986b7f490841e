// Bundles the style sheets: one for the panel and its countdown, and one for the status item.
import { readFileSync, writeFileSync } from 'node:fs';
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

// The loader for style sheets would triple the bytes of this one, which each page load fetches.
const css = JSON.stringify(readFileSync(path('../lib/status.css'), 'utf8').trim());
writeFileSync(
  path('../lib/status-style.js'),
  `document.head.append(Object.assign(document.createElement('style'), { textContent: ${css} }));\n`,
);
