// Bundles the countdown into the one ES module and the one style sheet that the widget loads.
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const path = (name) => fileURLToPath(new URL(name, import.meta.url));

// Properties that never leave the bundle get short names: times with a unit in their name, and
// these. What a page, a kernel or a table of sentences knows by name must not be among them.
const INTERNAL = `
  announce beforeWakeup blockedReason cancelRequest codes command delayedRequest detectJump
  dispose evaluate extendBlockedReason feedback findCrossed format handleResult helloAnswered
  helloPending hours isDisconnected isSynced minutes monotonic newId onCancel onChange
  onCustomDuration onStep pending pendingRequest phase phaseResult reachedBound recipient
  requestState responder root sendHello sendRequest setDurationValidity setResponder
  shortenBlockedReason showError snapshot sync timers tone update wakeups
`
  .trim()
  .split(/\s+/);

const options = {
  bundle: true,
  minify: true,
  charset: 'utf8',
  legalComments: 'none',
  logLevel: 'warning',
};

/** Build both files into a folder; for tests another one than the package's. */
export async function buildWidget(folder = path('../../modelarts_magics/static')) {
  await Promise.all([
    build({
      ...options,
      entryPoints: [path('../src/countdown/anywidget.ts')],
      outfile: `${folder}/countdown.js`,
      format: 'esm',
      target: 'es2022',
      mangleProps: new RegExp(`[a-z](Ms|S)$|^(${INTERNAL.join('|')})$`),
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
