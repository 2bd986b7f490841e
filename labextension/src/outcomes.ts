/** What became of a change or of the documents, in a sentence; in the words of the countdown where it has some. */

import type { TranslationBundle } from '@jupyterlab/translation';
import type { Note } from './countdown/actions';
import type { Answer } from './countdown/messages';
import { noteText, wordsFor } from './countdown/words';
import { readNow } from './sentences';
import type { IManager, NotSaved, Outcome, SavedReport } from './tokens';

/** What a change was about: moving the end of this run, or anything else. */
export type Verb = 'extend' | 'shorten' | 'save';

/** What became of a change, in a sentence that claims no more than the cloud's own answer. */
export function outcomeText(
  trans: TranslationBundle,
  { outcome, verb, manager }: { outcome: Outcome; verb: Verb; manager: IManager },
): string {
  const { answer } = outcome;
  if (answer.ok && verb === 'save') {
    return keptText(trans, answer.effect);
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

function keptText(trans: TranslationBundle, effect: Outcome['answer']['effect']): string {
  if (effect === 'next-start') {
    return trans.__('Saved for the next start. This run still stops as before.');
  }
  return effect === 'unconfirmed'
    ? trans.__('Sent, but not confirmed by the cloud.')
    : trans.__('Saved.');
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

/** What was saved and what was not, in one line. */
export function savedText(trans: TranslationBundle, { saved, notSaved }: SavedReport): string {
  if (notSaved.length > 0) {
    const paths = notSaved.map((each) => `${each.path} (${whyNotSaved(trans, each)})`);
    return trans.__('Not saved: %1', paths.join(', '));
  }
  return saved.length > 0 ? trans.__('Saved: %1', saved.join(', ')) : trans.__('Nothing to save.');
}
