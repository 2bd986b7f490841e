/** What became of a change or of the documents, in a sentence; in the words of the countdown where it has some. */

import type { TranslationBundle } from '@jupyterlab/translation';
import type { Feedback } from '../countdown/actions';
import type { ChangeResult } from '../countdown/messages';
import { formatTime, feedbackText, formatterFor } from '../countdown/format';
import { timeLeft, noResponseText, currentPhase } from './status-text';
import type { IManager, UnsavedDocument, Outcome, SaveReport } from '../tokens';

/** What a change was about: moving the end of this run, setting auto-stop, or anything else. */
export type ChangeKind = 'extend' | 'shorten' | 'set' | 'save';

/** A list this long may be cut off; then the number stands before it. */
const MAX_UNCOUNTED = 3;

/** What became of a change, in a sentence that claims no more than the cloud's own answer. */
export function outcomeText(
  trans: TranslationBundle,
  { outcome, kind, manager }: { outcome: Outcome; kind: ChangeKind; manager: IManager },
): string {
  const { result } = outcome;
  if (result.code === 'unreachable') {
    return noResponseText(trans);
  }
  if (result.ok && kind === 'set') {
    return settingSavedText(trans, result.effect, manager);
  }
  return result.ok && kind === 'save'
    ? settingSavedText(trans, result.effect, null)
    : changeText(outcome, kind, manager);
}

/** What became of moving the end of the run, or why anything was refused. */
function changeText({ result }: Outcome, kind: ChangeKind, manager: IManager): string {
  const state = manager.payload?.snapshot?.state;
  const nowMs = manager.clock.now();
  const remainingS = state ? currentPhase(state, nowMs).remainingS : null;
  return feedbackText(
    formatterFor(''),
    toFeedback(result, kind, state?.stops_at_ms ?? null),
    nowMs,
    remainingS,
  );
}

function toFeedback(result: ChangeResult, kind: ChangeKind, stopsAtMs: number | null): Feedback {
  const { code, text, values, effect } = result;
  return {
    ...{ tone: 'info', text, stopsAtMs },
    codes: result.ok
      ? [code, effect === 'next-start' ? `${effect}-${kind}` : (effect ?? 'done')]
      : [code],
    durationS: values.duration_s ?? null,
    previousDurationS: values.previous_duration_s ?? null,
  };
}

function settingSavedText(
  trans: TranslationBundle,
  effect: Outcome['result']['effect'],
  manager: IManager | null,
): string {
  if (effect === 'next-start') {
    return trans.__('Saved for the next start. This run still stops as before.');
  }
  return effect === 'unconfirmed'
    ? trans.__('Sent, but not confirmed by the cloud.')
    : [trans.__('Saved.'), manager ? stopTimeText(manager) : ''].filter(Boolean).join(' ');
}

/** When the run ends now. */
function stopTimeText(manager: IManager): string {
  const run = timeLeft(manager);
  const format = formatterFor('');
  return run === null
    ? ''
    : format('now', { stopTime: formatTime(format, run.stopsAtMs, manager.clock.now()) });
}

/** Why a document was not saved. */
export function notSavedReason(trans: TranslationBundle, { why }: UnsavedDocument): string {
  const texts: Readonly<Record<string, string>> = {
    'changed-on-disk': trans.__('changed on disk'),
    'no-file': trans.__('has no file yet'),
    'folder-missing': trans.__('its folder is gone'),
    'read-only': trans.__('is read-only'),
    'timed-out': trans.__('took too long'),
    failed: trans.__('could not be written'),
  };
  return texts[why] ?? why;
}

/** What was saved and what was not, in one line. */
export function saveReportText(trans: TranslationBundle, { saved, notSaved }: SaveReport): string {
  if (notSaved.length > 0) {
    const paths = notSaved.map((each) => `${each.path} (${notSavedReason(trans, each)})`);
    const list = paths.join(', ');
    return paths.length > MAX_UNCOUNTED
      ? trans.__('Not saved: %1 documents: %2', paths.length, list)
      : trans.__('Not saved: %1', list);
  }
  return saved.length > 0
    ? trans.__('Saved: %1', saved.join(', '))
    : trans.__('Nothing to save in this tab.');
}
