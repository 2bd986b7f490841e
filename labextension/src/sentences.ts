/** Sentences about outcomes and failures, in the words of the countdown where it has some. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { isCounting, read } from './countdown/phase';
import type { Note } from './countdown/actions';
import type { Answer, InstanceState } from './countdown/messages';
import { noteText, wordsFor } from './countdown/words';
import type { BackendError, IManager, NotSaved, Outcome } from './tokens';

/** What a change was about: moving the end of this run, or anything else. */
export type Verb = 'extend' | 'shorten' | 'save';

/** The phase and the time left now. */
export function readNow(state: InstanceState, nowMs: number): ReturnType<typeof read> {
  const { status, enabled, mode, stops_at_ms: stopsAtMs } = state;
  return read({ status, enabled, mode, stopsAtMs }, nowMs);
}

/** A run that counts down to its stop. */
export interface Counting {
  readonly stopsAtMs: number;
  readonly leftMs: number;
  readonly remainingS: number;
}

/** The run's end and what is left of it; `null` when nothing counts down. */
export function counting({ payload, clock }: IManager): Counting | null {
  const state = payload?.snapshot?.state;
  if (typeof state?.stops_at_ms !== 'number') {
    return null;
  }
  const { stops_at_ms: stopsAtMs } = state;
  const leftMs = stopsAtMs - clock.now();
  const { phase, remainingS } = readNow(state, clock.now());
  return isCounting(phase) ? { stopsAtMs, leftMs, remainingS: remainingS ?? 0 } : null;
}

/** What became of a change, in a sentence that claims no more than the cloud's own answer. */
export function outcomeText(
  trans: TranslationBundle,
  { outcome, verb, manager }: { outcome: Outcome; verb: Verb; manager: IManager },
): string {
  const { answer } = outcome;
  if (answer.ok && verb === 'save') {
    return savedText(trans, answer.effect);
  }
  const state = manager.payload?.snapshot?.state;
  const nowMs = manager.clock.now();
  const left = state ? readNow(state, nowMs).remainingS : null;
  return noteText(wordsFor(''), noteOf(answer, verb, state?.stops_at_ms ?? null), nowMs, left);
}

function noteOf(answer: Answer, verb: Verb, stopsAtMs: number | null): Note {
  const { code, text, values, effect } = answer;
  return {
    ...{ tone: 'info', text, stopsAtMs },
    codes: answer.ok
      ? [code, effect === 'next-start' ? `${effect}-${verb}` : (effect ?? 'done')]
      : [code],
    durationS: values.duration_s ?? null,
    previousDurationS: values.previous_duration_s ?? null,
  };
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
