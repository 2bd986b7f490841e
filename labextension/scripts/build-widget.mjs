// Bundles the countdown into the ES module and the style sheet that the widget loads.
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const path = (name) => fileURLToPath(new URL(name, import.meta.url));

const options = {
  bundle: true,
  minify: true,
  charset: 'utf8',
  legalComments: 'none',
  logLevel: 'warning',
};

/** Build both files into a folder, by default that of the Python package. */
export async function buildWidget(folder = path('../../modelarts_magics/static')) {
  await Promise.all([
    build({
      ...options,
      entryPoints: [path('../src/countdown/anywidget.ts')],
      outfile: `${folder}/countdown.js`,
      format: 'esm',
      target: 'es2022',
      // These are only names of our own properties, not of the browser or of messages.
      mangleProps:
        /[a-z](Disconnected|Ms|Pending|Prefix|Reason|Request|Result|State|Synced)$|^(duration|previousDuration|remaining)S$|^(announce|beforeWakeup|clear|codes|connect|dispose|earliestNow|enter|evaluate|feedback|findCrossed|format|helloAnswered|hours|kind|minutes|monotonic|newId|onCancel|onChange|onCustomDuration|onStep|pending|phase|reachedBound|recipient|responder|root|sendHello|setDurationValidity|showError|snapshot|sync|synced|timers|tone|update|viewId|wakeups)$/,
    }),
    build({
      ...options,
      entryPoints: [path('../src/countdown/countdown.css')],
      outfile: `${folder}/countdown.css`,
      target: ['chrome100', 'firefox100', 'safari15'],
    }),
  ]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await buildWidget();
}
