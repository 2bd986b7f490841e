/** Sentences about the outcome of a change, and about saved documents. */

import type { TranslationBundle } from '@jupyterlab/translation';
import type { Feedback } from '../countdown/actions';
import { feedbackText, formatFeedback } from '../countdown/feedback';
import { formatDuration, formatterFor, formatTime } from '../countdown/format';
import type { ChangeResult } from '../countdown/messages';
import type { IManager, Outcome, SaveReport } from '../tokens';
import { joinSentences, listText, notSavedText } from './save-text';
import { currentPhase, keepRunningText, noResponseText, timeLeft } from './status-text';

/** The kind of a change: of the stop time of this run, of auto-stop, or of anything else. */
export type ChangeKind = 'extend' | 'shorten' | 'set' | 'save';

/** A change that is reported. */
export interface ReportedChange {
  /** Its outcome. */
  readonly outcome: Outcome;
  /** Its kind. */
  readonly kind: ChangeKind;
  /** The manager that carried it out and has the state after it. */
  readonly manager: IManager;
}

/** Return the sentence about a change. For an error, it is the message of the server. */
export function outcomeText(trans: TranslationBundle, change: ReportedChange): string {
  const { result } = change.outcome;
  if (result.code === 'unreachable') {
    return noResponseText(trans);
  }
  if (!result.ok && result.text) {
    return result.text;
  }
  return result.ok && (change.kind === 'set' || change.kind === 'save')
    ? settingSavedText(trans, change)
    : stopTimeChangeText(trans, change);
}

/** Return the sentence about a change of what keeps the instance running. */
export function keepOutcomeText(
  trans: TranslationBundle,
  outcome: Outcome,
  manager: IManager,
): string {
  const { ok, text } = outcome.result;
  return ok ? text : outcomeText(trans, { outcome, kind: 'save', manager });
}

/** Return the sentence about a change of the stop time of this run. */
function stopTimeChangeText(
  trans: TranslationBundle,
  { outcome, kind, manager }: ReportedChange,
): string {
  const state = manager.payload?.snapshot?.state;
  const nowMs = manager.clock.now();
  const remainingS = state ? currentPhase(state, nowMs).remainingS : null;
  const result = { ...outcome.result, text: keepRunningText(trans, outcome.result) };
  const feedback = toFeedback(result, kind, state?.stops_at_ms ?? null);
  return joinSentences(
    feedbackText(formatterFor(''), feedback, nowMs, remainingS),
    laterStartsText(trans, manager),
  );
}

/** Return what undoing the last change restores, or why it cannot; empty if there is none. */
export function undoText(trans: TranslationBundle, { payload }: IManager): string {
  return payload?.undo
    ? trans.__('Undo restores: %1.', payload.undo.restores)
    : (payload?.undoRefusal ?? '');
}

/** Return how long later starts run, or that this will be restored; empty if they have their usual run time. */
export function laterStartsText(trans: TranslationBundle, { payload }: IManager): string {
  const durationS = payload?.snapshot?.state.duration_s;
  if (!payload?.restore || !durationS) {
    return '';
  }
  const format = formatterFor('');
  return payload.restore.isPlanned
    ? trans.__('Restored at the next start: %1.', formatDuration(format, payload.restore.durationS))
    : trans.__('Later starts now run %1, too.', formatDuration(format, durationS));
}

/** Return the label of the button that restores the run time of later starts; empty if there is none. */
export function restoreLabel(trans: TranslationBundle, { payload }: IManager): string {
  return payload?.restore?.isPlanned === false
    ? trans.__(
        'Restore %1 for later starts',
        formatDuration(formatterFor(''), payload.restore.durationS),
      )
    : '';
}

/** Return the sentence about restoring the run time of later starts. */
export function restoreOutcomeText(trans: TranslationBundle, change: ReportedChange): string {
  const planned = change.outcome.result.ok ? laterStartsText(trans, change.manager) : '';
  return planned || outcomeText(trans, change);
}

function toFeedback(result: ChangeResult, kind: ChangeKind, stopsAtMs: number | null): Feedback {
  const { code, text, values, effect } = result;
  const effectCode = effect === 'next-start' ? `${effect}-${kind}` : (effect ?? 'done');
  return {
    tone: 'info',
    codes: result.ok ? [code, effectCode] : [code],
    stopsAtMs,
    durationS: values.duration_s ?? null,
    previousDurationS: values.previous_duration_s ?? null,
    text,
  };
}

function settingSavedText(
  trans: TranslationBundle,
  { outcome, kind, manager }: ReportedChange,
): string {
  const { effect } = outcome.result;
  if (effect === 'next-start') {
    return trans.__('Saved for the next start. The stop time of this run is unchanged.');
  }
  return effect === 'unconfirmed'
    ? trans.__('Sent, but not yet confirmed by ModelArts.')
    : joinSentences(
        trans.__('Saved.'),
        ...(kind === 'set' ? [settingText(manager), laterStartsText(trans, manager)] : []),
      );
}

/** Return the sentence about the current stop time, or about auto-stop that is off; else an empty text. */
function settingText(manager: IManager): string {
  const run = timeLeft(manager);
  const format = formatterFor('');
  const isOff = manager.payload?.snapshot?.state.enabled === false;
  return run === null
    ? isOff
      ? formatFeedback(format, 'off')
      : ''
    : formatFeedback(format, 'now', {
        stopTime: formatTime(format, run.stopsAtMs, manager.clock.now()),
      });
}

/** Return one sentence about which documents were saved or, if any were not, which were not. */
export function saveReportText(trans: TranslationBundle, { saved, notSaved }: SaveReport): string {
  const count = notSaved.length;
  if (count > 0) {
    return trans._n(
      '%1 document not saved: %2',
      '%1 documents not saved: %2',
      count,
      notSavedText(trans, notSaved),
    );
  }
  return saved.length > 0
    ? trans.__('Saved: %1', listText(trans, saved))
    : trans.__('Nothing to save in this tab.');
}
