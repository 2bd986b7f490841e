/** Sentences about outcomes and failures, in the words of the countdown where it has some. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { read } from './countdown/phase';
import type { InstanceState } from './countdown/messages';
import { noteText, wordsFor } from './countdown/words';
import type { BackendError, IManager, NotSaved, Outcome } from './tokens';

/** What a change was about: moving the end of this run, or anything else. */
export type Verb = 'extend' | 'shorten' | 'save';

/** The phase and the time left now. */
export function readNow(state: InstanceState, nowMs: number): ReturnType<typeof read> {
  const { status, enabled, mode, stops_at_ms: stopsAtMs } = state;
  return read({ status, enabled, mode, stopsAtMs }, nowMs);
}

/** What became of a change, in a sentence that claims no more than the cloud's own answer. */
export function outcomeText(
  trans: TranslationBundle,
  { outcome, verb, manager }: { outcome: Outcome; verb: Verb; manager: IManager },
): string {
  const { answer } = outcome;
  const state = manager.payload?.snapshot?.state;
  const nowMs = manager.clock.now();
  const stopsAtMs = state?.stops_at_ms ?? null;
  if (answer.ok && verb === 'save') {
    const saved = savedText(trans, answer.effect);
    return stopsAtMs === null || answer.effect === 'next-start' ? saved : `${saved}`;
  }
  const effect = answer.effect === 'next-start' ? `next-start-${verb}` : (answer.effect ?? 'done');
  const note = {
    tone: 'info' as const,
    codes: answer.ok ? [...(answer.code ? [answer.code] : []), effect] : [answer.code],
    stopsAtMs,
    durationS: answer.values.duration_s ?? null,
    previousDurationS: answer.values.previous_duration_s ?? null,
    text: answer.text,
  };
  const left = state ? readNow(state, nowMs).remainingS : null;
  return noteText(wordsFor(''), note, nowMs, left);
}

function savedText(trans: TranslationBundle, effect: Outcome['answer']['effect']): string {
  if (effect === 'next-start') {
    return trans.__('Saved for the next start. This run still stops as before.');
  }
  return effect === 'unconfirmed'
    ? trans.__('Sent, but not confirmed by the cloud.')
    : trans.__('Saved.');
}

/** Why the instance cannot be read, and what to do. */
export function failureText(trans: TranslationBundle, failure: BackendError): string {
  if (failure.code === 'unreachable') {
    return trans.__('The Jupyter server does not answer. It is tried again.');
  }
  if (failure.code === 'absent') {
    return trans.__(
      'Neither the Jupyter server nor any of its kernels has modelarts-magics. Install it there: pip install modelarts-magics',
    );
  }
  return [failure.message || trans.__('It did not work.'), failure.hint].filter(Boolean).join(' ');
}

/** Why a document was not saved. */
export function whyNotSaved(trans: TranslationBundle, { why }: NotSaved): string {
  const words: Readonly<Record<string, string>> = {
    'changed-on-disk': trans.__('changed on disk'),
    'never-named': trans.__('has no file yet'),
    'read-only': trans.__('is read-only'),
    'timed-out': trans.__('took too long'),
    failed: trans.__('could not be written'),
  };
  return words[why] ?? why;
}
