/** What became of a change or of the documents, in a sentence; in the words of the countdown where it has some. */

import type { TranslationBundle } from '@jupyterlab/translation';
import type { Note } from '../countdown/actions';
import type { Answer } from '../countdown/messages';
import { moment, noteText, wordsFor } from '../countdown/format';
import { counting, lostText, readNow } from './status-text';
import type { IManager, NotSaved, Outcome, SavedReport } from '../tokens';

/** What a change was about: moving the end of this run, setting auto-stop, or anything else. */
export type Verb = 'extend' | 'shorten' | 'set' | 'save';

/** A list this long may be cut off; then the number stands before it. */
const FEW = 3;

/** What became of a change, in a sentence that claims no more than the cloud's own answer. */
export function outcomeText(
  trans: TranslationBundle,
  { outcome, verb, manager }: { outcome: Outcome; verb: Verb; manager: IManager },
): string {
  const { answer } = outcome;
  if (answer.code === 'unreachable') {
    return lostText(trans);
  }
  if (answer.ok && verb === 'set') {
    return keptText(trans, answer.effect, manager);
  }
  return answer.ok && verb === 'save'
    ? keptText(trans, answer.effect, null)
    : movedText(outcome, verb, manager);
}

/** What became of moving the end of the run, or why anything was refused. */
function movedText({ answer }: Outcome, verb: Verb, manager: IManager): string {
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

function keptText(
  trans: TranslationBundle,
  effect: Outcome['answer']['effect'],
  manager: IManager | null,
): string {
  if (effect === 'next-start') {
    return trans.__('Saved for the next start. This run still stops as before.');
  }
  return effect === 'unconfirmed'
    ? trans.__('Sent, but not confirmed by the cloud.')
    : [trans.__('Saved.'), manager ? endText(manager) : ''].filter(Boolean).join(' ');
}

/** When the run ends now. */
function endText(manager: IManager): string {
  const run = counting(manager);
  const words = wordsFor('');
  return run === null
    ? ''
    : words('now', { stop: moment(words, run.stopsAtMs, manager.clock.now()) });
}

/** Why a document was not saved. */
export function whyNotSaved(trans: TranslationBundle, { why }: NotSaved): string {
  const words: Readonly<Record<string, string>> = {
    'changed-on-disk': trans.__('changed on disk'),
    'never-named': trans.__('has no file yet'),
    'no-folder': trans.__('its folder is gone'),
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
    const list = paths.join(', ');
    return paths.length > FEW
      ? trans.__('Not saved: %1 documents: %2', paths.length, list)
      : trans.__('Not saved: %1', list);
  }
  return saved.length > 0
    ? trans.__('Saved: %1', saved.join(', '))
    : trans.__('Nothing to save in this tab.');
}
